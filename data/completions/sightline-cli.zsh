#compdef sightline-cli
# SPDX-License-Identifier: MIT
# zsh completion of sightline-cli. Commands and options come from its own --help, so that they are never out of step.
_sightline_cli() {
    local program=$words[1]
    local -a found
    if (( CURRENT == 2 )); then
        found=(${(f)"$(_call_program commands $program --help 2>/dev/null |
            sed -n 's/^  \([a-z][a-z-]*\)  *\(.*\)/\1:\2/p')"})
        _describe -t commands command found
        return
    fi
    case ${words[CURRENT - 1]} in
        --mode) compadd chat find ground ;;
        --device) compadd auto cpu cuda ;;
        --endpoint-kind) compadd other sightline vllm sglang lmdeploy deepseek ;;
        --markup) compadd none grounding all ;;
        --view) compadd tiny small base large gundam ;;
        -m | --model | --data-dir | --picture-dir) _files -/ ;;
        *)
            if [[ ${words[CURRENT]} == -* ]]; then
                found=(${(f)"$(_call_program options $program $words[2] --help 2>/dev/null |
                    sed -nE 's/^  (-[a-z], )?(--[a-z-]+)[^ ]* *(.*)/\2:\3/p')"})
                _describe -o -t options option found
            elif [[ ${words[2]} == history && $CURRENT -eq 3 ]]; then
                compadd list check export import
            elif [[ ${words[2]} == models && $CURRENT -eq 3 ]]; then
                compadd list search download verify import quantize remove
            else
                _files
            fi
            ;;
    esac
}
_sightline_cli "$@"
