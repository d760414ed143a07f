#compdef sallyport
# SPDX-License-Identifier: Apache-2.0
# zsh completion of the command sallyport

local -a commands
commands=(
    'run:serve in the foreground'
    'check:read the conf and print every error in it'
    'explain:show what a request would meet'
    'plugins:list the plugins of the conf'
    'plugin:check a plugin file or start a new one'
    'reload:read the conf again without closing a connection'
    'status:show what the running gateway does'
    'stop:drain and stop the running gateway'
    'version:print the version'
    'schema:print the JSON Schema of the conf'
    'command:run a command that a plugin offers'
    'help:explain a command'
)

_arguments -C \
    '-c[conf file]:file:_files' \
    '(-s --socket)'{-s,--socket}'[control socket]:socket:_files' \
    '--json[errors and answers as JSON]' \
    '(-h --help)'{-h,--help}'[help]' \
    '--version[version]' \
    '1:command:->command' \
    '*::argument:->argument'

case $state in
command) _describe command commands ;;
argument)
    case $words[1] in
    plugin)
        if (( CURRENT == 2 )); then
            _values 'action' 'check' 'new'
        elif [[ $words[2] == check ]]; then
            _files -g '*.so'
        else
            _files -/
        fi
        ;;
    explain) (( CURRENT == 2 )) && _values 'method' GET HEAD POST PUT PATCH DELETE OPTIONS ;;
    schema) _values 'schema' api ;;
    help) _describe command commands ;;
    esac
    ;;
esac
