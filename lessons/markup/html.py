"""The HTML of blocks: the contract with the page's styles and scripts."""

from html import escape

from lessons.markup.blocks import Command, Console, File, Keys, Mermaid, Script
from lessons.markup.highlight import code_html


def _command(command: Command, block: Console | Script, first: bool) -> str:
    text = escape(command.text)
    interrupt = ' data-interrupt=""' if block.interrupt and first else ""
    run = f'<button type="button" class="run" aria-label="Run: {text}">Run</button>' if block.run else ""
    return (
        f'<div class="command" data-command="{text}"{interrupt}><span class="prompt" aria-hidden="true">{command.prompt} </span>'
        f"<code>{code_html(command.text, 'bash')}</code>"
        f'<button type="button" class="copy" aria-label="Copy: {text}">Copy</button>{run}</div>'
    )


def _output(lines: list[str]) -> str:
    return f'<pre class="output" data-lines="{len(lines)}"><code>{escape(chr(10).join(lines))}</code></pre>' if lines else ""


def _box(block: Console | Script, inside: str) -> str:
    return f'<div class="console" data-kind="{block.kind}" data-terminal="{block.terminal}">{inside}</div>\n'


def console_html(block: Console) -> str:
    parts = [_command(item, block, first=not index) + _output(item.output) for index, item in enumerate(block.commands)]
    return _box(block, "".join(parts))


def script_html(block: Script) -> str:
    return _box(block, _command(Command(line=block.line, prompt="$", text=block.text), block, first=True))


def keys_html(block: Keys) -> str:
    return f'<div class="keys" data-terminal="{block.terminal}">{" ".join(f"<kbd>{escape(key)}</kbd>" for key in block.keys)}</div>\n'


def file_html(block: File) -> str:
    return (
        f'<div class="file-block" data-path="{escape(block.path)}" data-terminal="{block.terminal}">'
        f"{listing_html(block.content, block.language)}"
        '<div class="file-tools"><button type="button" class="open-file">Open in editor</button>'
        '<button type="button" class="write-file">Write file</button></div></div>\n'
    )


def listing_html(code: str, language: str) -> str:
    name = f' class="language-{escape(language)}"' if language else ""
    return f'<pre class="highlight"><code{name}>{code_html(code, language)}</code></pre>\n'


def mermaid_html(block: Mermaid) -> str:
    return f'<pre class="mermaid">{escape(block.source)}</pre>\n'


def port_html(port: int) -> str:
    return f'<a class="port" data-port="{port}" href="#port-{port}">port {port}</a>'
