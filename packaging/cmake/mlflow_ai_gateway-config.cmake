# find_package(mlflow_ai_gateway) defines the targets mlflow_ai_gateway::mlflow_ai_gateway (the shared library) and
# mlflow_ai_gateway::static, if they are installed.

include("${CMAKE_CURRENT_LIST_DIR}/mlflow_ai_gateway-paths.cmake")
get_filename_component(_mlflow_ai_gateway_include "${_mlflow_ai_gateway_header}" DIRECTORY)

if(_mlflow_ai_gateway_shared AND NOT TARGET mlflow_ai_gateway::mlflow_ai_gateway)
  add_library(mlflow_ai_gateway::mlflow_ai_gateway SHARED IMPORTED)
  set_target_properties(mlflow_ai_gateway::mlflow_ai_gateway PROPERTIES
    IMPORTED_LOCATION "${_mlflow_ai_gateway_shared}"
    INTERFACE_INCLUDE_DIRECTORIES "${_mlflow_ai_gateway_include}")
endif()

if(_mlflow_ai_gateway_static AND NOT TARGET mlflow_ai_gateway::static)
  add_library(mlflow_ai_gateway::static STATIC IMPORTED)
  set_target_properties(mlflow_ai_gateway::static PROPERTIES
    IMPORTED_LOCATION "${_mlflow_ai_gateway_static}"
    INTERFACE_INCLUDE_DIRECTORIES "${_mlflow_ai_gateway_include}"
    INTERFACE_LINK_LIBRARIES "gcc_s;util;rt;pthread;m;dl;c")
endif()

if(NOT _mlflow_ai_gateway_shared AND NOT _mlflow_ai_gateway_static)
  set(mlflow_ai_gateway_FOUND FALSE)
  set(mlflow_ai_gateway_NOT_FOUND_MESSAGE
    "libmlflow_ai_gateway is in none of the folders that mlflow_ai_gateway-paths.cmake lists; install it again")
endif()
