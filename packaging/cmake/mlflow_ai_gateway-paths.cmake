# Finds the installed files. This folder is <prefix>/share/cmake/mlflow_ai_gateway; all paths are relative to <prefix>,
# so that it can be moved. "make install" replaces the two lists by the folders that it was given.

set(_mlflow_ai_gateway_prefix "${CMAKE_CURRENT_LIST_DIR}/../../..")
set(_mlflow_ai_gateway_libdirs "lib/${CMAKE_LIBRARY_ARCHITECTURE}" lib64 lib)
set(_mlflow_ai_gateway_includedirs include)

# Sets `result` to the path of `file` in the first of the given folders that contains it, or to nothing.
function(_mlflow_ai_gateway_find result file)
  set(${result} "" PARENT_SCOPE)
  foreach(folder IN LISTS ARGN)
    get_filename_component(path "${folder}/${file}" ABSOLUTE BASE_DIR "${_mlflow_ai_gateway_prefix}")
    if(EXISTS "${path}")
      set(${result} "${path}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

_mlflow_ai_gateway_find(_mlflow_ai_gateway_header mlflow_ai_gateway.h ${_mlflow_ai_gateway_includedirs})
_mlflow_ai_gateway_find(_mlflow_ai_gateway_shared libmlflow_ai_gateway.so ${_mlflow_ai_gateway_libdirs})
_mlflow_ai_gateway_find(_mlflow_ai_gateway_static libmlflow_ai_gateway.a ${_mlflow_ai_gateway_libdirs})
