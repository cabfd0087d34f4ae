"""Sends what MLflow sends to Gemini's own host to the URL in SCRIPTED_GEMINI: that host cannot be configured.

Python imports this module when it starts, if its folder is in PYTHONPATH.
"""

import importlib.abc
import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PROVIDER = "mlflow.gateway.providers.gemini"


class Redirect(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Changes the module of the provider once it is loaded."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != PROVIDER:
            return None
        sys.meta_path.remove(self)
        self.spec = importlib.util.find_spec(name)
        return ModuleSpec(name, self, origin=self.spec.origin)

    def create_module(self, spec: ModuleSpec) -> Any:
        return importlib.util.module_from_spec(self.spec)

    def exec_module(self, module: ModuleType) -> None:
        self.spec.loader.exec_module(module)
        module.GeminiProvider.base_url = property(lambda provider: f"{os.environ['SCRIPTED_GEMINI']}/v1beta/models")


sys.meta_path.insert(0, Redirect())
