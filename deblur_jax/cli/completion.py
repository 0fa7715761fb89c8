"""Scripts that make a shell complete the options of a command, from its parser."""

import argparse
from collections.abc import Mapping, Sequence


Suggestions = Mapping[str, Sequence[str]]


def completion(parser: argparse.ArgumentParser, shell: str, suggestions: Suggestions) -> str:
    """Returns a script for a shell.

    Args:
        parser: of the command.
        shell: "bash", "zsh" or "fish".
        suggestions: words that are offered, beside files, for the value of an option.
    """
    options = [action for action in parser._actions if action.option_strings]
    write = {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]
    return write(parser.prog, options, suggestions)


def _takes_value(action: argparse.Action) -> bool:
    return action.nargs != 0


def _words(action: argparse.Action, suggestions: Suggestions) -> Sequence[str]:
    """Returns the words that are offered for the value of an option."""
    return tuple(action.choices or suggestions.get(action.option_strings[-1], ()))


def _takes_file(action: argparse.Action, suggestions: Suggestions) -> bool:
    name = action.option_strings[-1]
    return _takes_value(action) and (name in suggestions or action.metavar in ("OUT", "DIR"))


def _help(action: argparse.Action) -> str:
    """Returns the first clause of an option's help, without characters that shells interpret."""
    first = (action.help or "").partition(";")[0].partition(" (")[0]
    return "".join(letter for letter in first if letter not in "'\"[]\\$`")


def _bash(command: str, options: Sequence[argparse.Action], suggestions: Suggestions) -> str:
    name = f"_{command.replace('-', '_')}"
    cases = []
    for action in filter(_takes_value, options):
        flags, words = "|".join(action.option_strings), " ".join(_words(action, suggestions))
        # Where no word fits, bash completes files by its default.
        cases.append(f'    {flags}) COMPREPLY=($(compgen -W "{words}" -- "$word")); return ;;')
    names = " ".join(flag for action in options for flag in action.option_strings)
    return "\n".join([
        f"{name}() {{",
        '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"',
        "  COMPREPLY=()",
        '  case "$before" in',
        *cases,
        "  esac",
        f'  [[ "$word" != -* ]] || COMPREPLY=($(compgen -W "{names}" -- "$word"))',
        "}",
        f"complete -o filenames -o bashdefault -o default -F {name} {command}",
        "",
    ])  # fmt: skip


def _zsh(command: str, options: Sequence[argparse.Action], suggestions: Suggestions) -> str:
    lines = [f"#compdef {command}", "_arguments -s \\"]
    for action in options:
        words, files = _words(action, suggestions), _takes_file(action, suggestions)
        value = f":value:{_zsh_values(words, files)}" if _takes_value(action) else ""
        lines += [f"  '{flag}[{_help(action)}]{value}' \\" for flag in action.option_strings]
    return "\n".join([*lines, "  '*:photo:_files'", ""])


def _zsh_values(words: Sequence[str], files: bool) -> str:
    listed = f"({' '.join(words)})"
    if words and files:
        return f'{{_alternative "words:word:{listed}" "files:file:_files"}}'
    if files:
        return "_files"
    return listed if words else " "


def _fish(command: str, options: Sequence[argparse.Action], suggestions: Suggestions) -> str:
    lines = []
    for action in options:
        flags = " ".join(
            f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"
            for flag in action.option_strings
        )
        value = ""
        if _takes_value(action):
            value = " -r" if _takes_file(action, suggestions) else " -x"
            if words := _words(action, suggestions):
                value += f" -a '{' '.join(words)}'"
        lines.append(f"complete -c {command} {flags}{value} -d '{_help(action)}'")
    return "\n".join([*lines, ""])
