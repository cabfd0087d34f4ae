"""Makes a Conan package of an unpacked release archive: conan export-pkg <archive>/share/mlflow-ai-gateway/conan"""

import os
import re

from conan import ConanFile
from conan.tools.files import copy, load


class MlflowAiGateway(ConanFile):
    name = "mlflow_ai_gateway"
    description = "C library to call MLflow AI gateways, Databricks and OpenAI-compatible servers"
    license = "MIT OR Apache-2.0"
    package_type = "library"
    settings = "os", "arch"
    options = {"shared": [True, False]}
    default_options = {"shared": True}

    def _archive(self):
        return os.path.join(self.recipe_folder, "..", "..", "..")

    def set_version(self):
        header = load(self, os.path.join(self._archive(), "include", "mlflow_ai_gateway.h"))
        parts = re.findall(r"^#define MLFLOW_GATEWAY_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$", header, re.M)
        self.version = ".".join(parts)

    def package(self):
        library = "libmlflow_ai_gateway.so*" if self.options.shared else "libmlflow_ai_gateway.a"
        copy(self, "*", os.path.join(self._archive(), "include"), os.path.join(self.package_folder, "include"))
        copy(self, library, os.path.join(self._archive(), "lib"), os.path.join(self.package_folder, "lib"))
        documents = os.path.join("share", "doc", "mlflow-ai-gateway")
        copy(self, "LICENSE-*", os.path.join(self._archive(), documents), os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        self.cpp_info.libs = ["mlflow_ai_gateway"]
        self.cpp_info.set_property("cmake_file_name", "mlflow_ai_gateway")
        target = "mlflow_ai_gateway" if self.options.shared else "static"
        self.cpp_info.set_property("cmake_target_name", f"mlflow_ai_gateway::{target}")
        self.cpp_info.set_property("pkg_config_name", "mlflow_ai_gateway")
        if not self.options.shared:
            self.cpp_info.system_libs = ["gcc_s", "util", "rt", "pthread", "m", "dl"]
