"""The `onnxpress` command where only the core dependencies are installed."""

WITHOUT_EXTRAS = """
import sys
class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in {"dvc", "filelock", "pydantic", "ruamel", "yaml", "mlflow",
                                      "boto3", "requests", "jinja2", "matplotlib"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from onnxpress.cli import main
main()
"""
