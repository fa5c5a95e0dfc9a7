# SPDX-License-Identifier: MIT
# bash completion of sightline-cli. Commands and options come from its own --help, so that they are never out of step.
_sightline_cli()
{
    local current previous command words=
    current=${COMP_WORDS[COMP_CWORD]}
    previous=${COMP_WORDS[COMP_CWORD - 1]}
    [[ $previous == = ]] && previous=${COMP_WORDS[COMP_CWORD - 2]}
    [[ $current == = ]] && current=
    command=${COMP_WORDS[1]}
    compopt +o nospace 2>/dev/null

    if ((COMP_CWORD == 1)); then
        words=$(LC_ALL=C "${COMP_WORDS[0]}" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$words --help --version" -- "$current")
        return
    fi
    case $previous in
        --mode) words='chat find ground' ;;
        --device) words='auto cpu cuda' ;;
        --endpoint-kind) words='other sightline vllm sglang lmdeploy deepseek' ;;
        --markup) words='none grounding all' ;;
        --view) words='tiny small base large gundam' ;;
        -m | --model | --data-dir | --picture-dir)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -d -- "$current")
            return
            ;;
        -i | --image | -c | --conversation | --batch | --draw | -o | --out | --endpoint-ca | --key-file)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            return
            ;;
        *)
            if [[ $current == -* ]]; then
                words=$(LC_ALL=C "${COMP_WORDS[0]}" "$command" --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]*' | sort -u)
            elif [[ $command == history ]]; then
                words='list check export import'
            elif [[ $command == models ]]; then
                words='list search download verify import quantize remove'
            fi
            ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _sightline_cli sightline-cli
