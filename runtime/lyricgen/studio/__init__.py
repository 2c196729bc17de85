"""The studio: a page in the browser at which a song is written, and the server on this machine behind it.

    work        what requests ask for, done by a few threads, a chunk of each in turn
    guard       which requests are let in
    errors      what is wrong with a request, as a status and a sentence
    messages    bodies, replies and streams, as both of these have them:
    desk        write, suggest, rhymes, score, forms, card
    completions the protocol that clients of language models speak
    server      all of it, listening

Needs starlette and uvicorn (`pip install '.[studio]'`); nothing else of lyricgen imports it.
"""
