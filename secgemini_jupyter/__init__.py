"""Sec-Gemini in Jupyter. Unofficial: not affiliated with Google."""
