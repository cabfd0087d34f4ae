"""Redirects MLflow's requests to a provider to the URL in SCRIPTED_GEMINI or SCRIPTED_ANTHROPIC, in versions in which
the host is not configurable.

Python imports this module at its start if its folder is in PYTHONPATH.
"""

import importlib.abc
import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

BASES = {"gemini": ("GeminiProvider", "/v1beta/models"), "anthropic": ("AnthropicProvider", "/v1")}


class Redirect(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Changes the module of a provider after it is loaded."""

    def __init__(self, name: str, class_name: str, base_url: str) -> None:
        self.name, self.class_name, self.base_url = f"mlflow.gateway.providers.{name}", class_name, base_url

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != self.name:
            return None
        sys.meta_path.remove(self)
        self.spec = importlib.util.find_spec(name)
        return ModuleSpec(name, self, origin=self.spec.origin)

    def create_module(self, spec: ModuleSpec) -> Any:
        return importlib.util.module_from_spec(self.spec)

    def exec_module(self, module: ModuleType) -> None:
        self.spec.loader.exec_module(module)
        getattr(module, self.class_name).base_url = property(lambda provider: self.base_url)


for provider, (class_name, path) in BASES.items():
    if url := os.environ.get(f"SCRIPTED_{provider.upper()}"):
        sys.meta_path.insert(0, Redirect(provider, class_name, url + path))
