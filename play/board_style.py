"""The board's style sheet: rooms, borders and colours of the screen, in textual's CSS.

Knows: how the screen is divided, in colour and in ASCII.
Doesn't know: what is drawn in the rooms.
"""

from __future__ import annotations

CSS = """
Screen { background: #1b2226; color: #dfe7ec; }
#body { height: 1fr; overflow: hidden; }
#upper { height: auto; }
#board { width: auto; height: auto; margin: 0 2 0 0; }
#side { width: 1fr; height: 100%; }
#far, #near { height: 1; }
#mind { height: 9; border-top: solid #46555e; border-title-color: #e3b94c; }
#moves { height: 1fr; border-top: solid #46555e; }
#page { height: 1fr; border-top: solid #46555e; border-title-color: #e3b94c; }
#messages { height: 1; }
#entry { height: 1; background: #263037; }
#prompt { width: 11; color: #e3b94c; }
#line { width: 28; background: #263037; }
#matches { width: 1fr; height: 1; }
Footer { background: #263037; scrollbar-size: 0 0; }
.-narrow #side { display: none; }
.-tall #messages { height: 2; }
.-roomy #mind { height: 14; }
.-roomy #messages { height: 4; border-top: solid #46555e; }

Ask, Choose, Help { align: center middle; background: #101418 60%; }
.dialog {
    width: auto; min-width: 44; max-width: 90%; height: auto; max-height: 90%;
    border: round #e3b94c; border-title-color: #e3b94c; background: #263037; padding: 0 1;
}
.wide { width: 88; max-width: 100%; }
.dialog Input { background: #1b2226; width: 60; }
.dialog OptionList { background: #263037; width: auto; max-width: 100%; height: auto; max-height: 18; border: none; }
.dialog Static { width: auto; }
.faint { color: #8a9aa5; }

.-ascii #mind, .-ascii #moves, .-ascii #page, .-ascii .-roomy #messages { border-top: ascii #46555e; }
.-ascii .dialog { border: ascii #e3b94c; scrollbar-size: 0 0; }
.-ascii OptionList { scrollbar-size: 0 0; }
"""
