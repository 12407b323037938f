"""How Sphinx builds the site from what tools/make_site.py has gathered."""

import convtour

project = "convtour"
author = "The convtour maintainers"
copyright = "The convtour maintainers, MIT"  # noqa: A001
version = release = convtour.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb", ".rst": "restructuredtext"}
exclude_patterns = ["_includes"]
myst_enable_extensions = ["dollarmath", "html_image"]
myst_heading_anchors = 4
nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_render_markdown_format = "myst"
nitpicky = False

autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_rtype = False

# Formulas are drawn by MathJax, from a file of the site: this one needs no fonts and no other file.
mathjax_path = "tex-svg.js"

html_theme = "furo"
html_title = "convtour"
html_favicon = "_static/icon.svg"
html_use_index = False
html_static_path = ["_static"]
html_extra_path = ["_extra"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_search_summary = False
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
