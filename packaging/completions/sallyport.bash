# SPDX-License-Identifier: Apache-2.0
# bash completion of the command sallyport
_sallyport()
{
    local cur prev words cword
    _init_completion || return
    local commands="run check explain plugins plugin reload status stop version schema command help"
    local i command=
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
            -c | -s | --conf | --socket) ((i++)) ;;
            -*) ;;
            *) command=${words[i]}; break ;;
        esac
    done
    case $prev in
        -c | -s | --conf | --socket | --template)
            _filedir
            return
            ;;
        -H) return ;;
    esac
    case $command in
        '')
            if [[ $cur == -* ]]; then
                COMPREPLY=($(compgen -W "-c -s --socket --json -h --help --version" -- "$cur"))
            else
                COMPREPLY=($(compgen -W "$commands" -- "$cur"))
            fi
            ;;
        plugin)
            case ${words[i + 1]-} in
                check) [[ $cword -gt $((i + 1)) ]] && { _filedir so; return; } ;;
                new) [[ $cword -gt $((i + 1)) ]] && { _filedir -d; return; } ;;
            esac
            COMPREPLY=($(compgen -W "check new" -- "$cur"))
            ;;
        explain)
            if [[ $cur == -* ]]; then
                COMPREPLY=($(compgen -W "-H" -- "$cur"))
            elif [[ $cword -eq $((i + 1)) ]]; then
                COMPREPLY=($(compgen -W "GET HEAD POST PUT PATCH DELETE OPTIONS" -- "$cur"))
            fi
            ;;
        schema) COMPREPLY=($(compgen -W "api" -- "$cur")) ;;
        help) COMPREPLY=($(compgen -W "$commands" -- "$cur")) ;;
        *) [[ $cur == -* ]] && COMPREPLY=($(compgen -W "--json" -- "$cur")) ;;
    esac
} && complete -F _sallyport sallyport
