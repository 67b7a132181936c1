"""From a lesson's Markdown to HTML and a list of typed blocks. Knows no database."""
