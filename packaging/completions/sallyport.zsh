#compdef sallyport
# SPDX-License-Identifier: Apache-2.0
# zsh completion of the command sallyport

local -a commands options
commands=(
    'run:run the gateway in the foreground'
    'check:check the conf, all errors, nothing started'
    'explain:what a request would meet, with the conf lines'
    'plugins:the plugins of the conf, or the options of one'
    'plugin:check a plugin file or begin a new one'
    'reload:take the changed conf into service'
    'status:how the running gateway is'
    'upstreams:targets, their health and connections'
    'log:what the running gateway logs, until the next reload'
    'stop:finish what runs, then stop'
    'command:run a command of a plugin in the running gateway'
    'schema:JSON Schema of the conf, or of an API file'
    'version:version and plugin ABI'
    'help:all commands, or one'
)
options=(
    '(-c --conf)'{-c,--conf}'[the conf]:file:_files'
    '(-s --socket)'{-s,--socket}'[the control socket]:socket:_files'
    '--json[answers and errors as one JSON object]'
    '(-h --help)'{-h,--help}'[help]'
    '(-V --version)'{-V,--version}'[the version]'
)

_arguments -C $options '1:command:->command' '*::argument:->argument'

case $state in
command) _describe command commands ;;
argument)
    case $words[1] in
    run) _arguments $options '--user[become this user]:user:_users' ;;
    check) _arguments $options '--strict[warnings count as errors]' ;;
    explain)
        _arguments $options '*'{-H,--header}'[a request header]:header:' \
            '--running[ask the running gateway]' '1:method:(GET HEAD POST PUT PATCH DELETE OPTIONS)' '2:URL:'
        ;;
    plugins) _arguments $options '--running[ask the running gateway]' '1:name:' ;;
    plugin)
        _arguments $options '--template[copy this folder]:folder:_files -/' '1:action:(check new)' '*:file:_files'
        ;;
    log) _arguments $options '--timeout[how long to wait]:time:' '1:what:(level)' '2:level:(error warn info debug)' ;;
    reload | status | upstreams | command) _arguments $options '--timeout[how long to wait]:time:' '*:argument:' ;;
    stop) _arguments $options '--fast[do not wait for exchanges]' '--timeout[how long to wait]:time:' ;;
    schema) _arguments $options '1:schema:(api)' ;;
    help) _describe command commands ;;
    esac
    ;;
esac
