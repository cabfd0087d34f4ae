# The version of the package is that of its header. Before 1.0, each minor version may break programs.

include("${CMAKE_CURRENT_LIST_DIR}/mlflow_ai_gateway-paths.cmake")
set(PACKAGE_VERSION "")
if(_mlflow_ai_gateway_header)
  file(STRINGS "${_mlflow_ai_gateway_header}" _mlflow_ai_gateway_lines
    REGEX "^#define MLFLOW_GATEWAY_VERSION_(MAJOR|MINOR|PATCH) [0-9]+$")
  string(REGEX MATCHALL "[0-9]+" PACKAGE_VERSION "${_mlflow_ai_gateway_lines}")
  string(REPLACE ";" "." PACKAGE_VERSION "${PACKAGE_VERSION}")
endif()

string(REGEX MATCH "^(0\\.[0-9]+|[1-9][0-9]*)" _mlflow_ai_gateway_series "${PACKAGE_VERSION}")
string(REGEX MATCH "^(0\\.[0-9]+|[1-9][0-9]*)" _mlflow_ai_gateway_wanted "${PACKAGE_FIND_VERSION}")
if(PACKAGE_FIND_VERSION STREQUAL PACKAGE_VERSION)
  set(PACKAGE_VERSION_EXACT TRUE)
endif()
if(PACKAGE_FIND_VERSION VERSION_LESS_EQUAL PACKAGE_VERSION AND
   _mlflow_ai_gateway_wanted STREQUAL _mlflow_ai_gateway_series)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
