"""How nbconvert writes a notebook as one HTML file that asks nothing from the network.

It is given to ``jupyter nbconvert --to html --config=``. Pictures go into the file, and so does MathJax, which draws
the formulas, from the package ``sphinx-mathjax-offline`` that the site uses too.
"""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
import sys

try:
    mathjax = distribution("sphinx-mathjax-offline").locate_file("sphinx-mathjax-offline/static/mathjax")
except PackageNotFoundError:
    sys.exit("The formulas need a package: python -m pip install sphinx-mathjax-offline")

c = get_config()  # type: ignore[name-defined]  # noqa: F821
c.TemplateExporter.extra_template_basedirs = [str(Path(__file__).parent)]
c.TemplateExporter.extra_template_paths = [str(mathjax)]
c.TemplateExporter.template_name = "offline"
c.HTMLExporter.embed_images = True
