"""Charts of ``training.charts`` as inline SVG: no script, no network, readable on a phone.

Colours are Okabe and Ito's, by class, so that the page's style turns them for dark screens and
paper; each series has a shape or a dash of its own too, so that colour is never the only sign.
"""
