"""Puts a template together as it is compiled: its layout, its blocks and the macros that it calls. Pure.

A page that is rendered as it is written asks for its layout, calls each block through the context, and calls
each macro through the sandbox, which takes longer than all else. Here the layout gets the blocks in their
places, and a macro's body takes the place of its call. It is done where both ways give the same text for
certain; whatever is not as simple (``super()``, a block in a loop, a macro with defaults,
``{% autoescape %}``) is left to Jinja. ::

    page ──► layout: its blocks in the places of the layout's ──► macros: bodies in the places of calls
"""
