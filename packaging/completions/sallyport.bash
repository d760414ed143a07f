# SPDX-License-Identifier: Apache-2.0
# bash completion of the command sallyport. Needs bash alone.
_sallyport()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local all="-c --conf -s --socket --json -h --help -V --version"
    local commands="run check explain plugins plugin reload status upstreams log stop command schema version help"
    local i command= at=0 words=

    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            -c | -s | --conf | --socket | --user | --timeout | --template | -H | --header) ((i++)) ;;
            -*) ;;
            *)
                if [[ -z $command ]]; then
                    command=${COMP_WORDS[i]}
                    at=$i
                elif [[ $command == plugin || $command == log ]]; then
                    command="$command ${COMP_WORDS[i]}"
                    at=$i
                fi
                ;;
        esac
    done
    case $prev in
        -c | -s | --conf | --socket | --template)
            compopt -o filenames 2> /dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return
            ;;
        --user)
            mapfile -t COMPREPLY < <(compgen -u -- "$cur")
            return
            ;;
        --timeout | -H | --header) return ;;
    esac
    case $command in
        '') words=$commands ;;
        run) all="$all --user" ;;
        check) all="$all --strict" ;;
        explain)
            all="$all -H --header --running"
            [[ $at -eq $((COMP_CWORD - 1)) ]] && words="GET HEAD POST PUT PATCH DELETE OPTIONS"
            ;;
        plugins) all="$all --running" ;;
        plugin) words="check new" ;;
        'plugin new') all="$all --template" ;;
        log) words=level ;;
        'log level')
            all="$all --timeout"
            words="error warn info debug"
            ;;
        reload | status | upstreams | command) all="$all --timeout" ;;
        stop) all="$all --fast --timeout" ;;
        schema) words=api ;;
        help) words=$commands ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$all" -- "$cur")
    elif [[ $command == 'plugin check' || $command == 'plugin new' ]]; then
        compopt -o filenames 2> /dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    else
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
    fi
}
complete -F _sallyport sallyport
