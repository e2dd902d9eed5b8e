"""The packages and their files; all else stands in pyproject.toml.

`experiments/` and `search_spaces/` lie at the top, for people to read and copy. The build puts them into the package.
"""

from setuptools import find_namespace_packages, find_packages, setup

FOLDERS = {"rosearch.experiments": "experiments", "rosearch.search_spaces": "search_spaces"}
inner = [f"{name}.{found}" for name, folder in FOLDERS.items() for found in find_namespace_packages(folder)]

setup(
    packages=[*find_packages(include=["rosearch", "rosearch.*"]), *FOLDERS, *inner],
    package_dir=FOLDERS,
    package_data={"": ["py.typed", "*.md", "*.txt", "*.yaml", "*.html", "*.css", "*.js"]},
)
