"""`lyricgen studio`: a page in the browser, to write a song at."""

from __future__ import annotations

import threading
from typing import Annotated

import typer

from lyricgen.errors import OptionError
from lyricgen.terminal.command import tell
from lyricgen.terminal.song_options import MODEL, compile_loop, open_model


def studio(
    *,
    port: Annotated[int, typer.Option(help="Where it listens; 0 takes a free one.", min=0, max=65535)] = 8765,
    host: Annotated[
        str,
        typer.Option(help="Another address lets other machines in, who need the token that is printed."),
    ] = "127.0.0.1",
    model: MODEL = None,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
) -> None:
    """Open a page in the browser at which a song is written; on this machine only.

    Ctrl-C ends it. Songs stay in the browser. Programs can ask the same server:
    docs/http.md.

    \b
    Examples:
      lyricgen studio
      lyricgen studio --model exported_models/session_3.onnx --port 9000
      lyricgen studio --no-browser
    """  # noqa: D301 (the backspace keeps typer from joining the lines)
    from lyricgen.studio.guard import Door
    from lyricgen.studio.server import Server, listen

    if not host:
        raise OptionError("host", host, "an address of this machine")
    name = "127.0.0.1" if host == "localhost" else host
    opened = listen(name, port)
    with opened:
        door = Door.opened(opened.getsockname()[1], name)
        songs = open_model(model)
        compile_loop()

        def on_start() -> None:
            tell(f"the studio is open at {door.address}\nCtrl-C closes it")
            if browser:
                import webbrowser

                threading.Thread(target=webbrowser.open, args=[door.address], daemon=True).start()

        Server(songs, door, on_start).run(sockets=[opened])
