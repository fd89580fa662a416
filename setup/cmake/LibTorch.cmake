# Imported target lockstep::torch from LibTorch's headers and libraries, wherever they come from:
#   -DTorch_ROOT=FOLDER (or CMAKE_PREFIX_PATH), a folder with include/ and lib/;
#   else the torch package of LOCKSTEP_PYTHON.
# LibTorch's own find_package(Torch) is not used: the wheel's wants nvcc and a CUDA toolkit, which nothing here needs.
if(NOT Torch_ROOT)
  execute_process(COMMAND ${LOCKSTEP_PYTHON} -c "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
                  OUTPUT_VARIABLE torch_package OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
find_path(LOCKSTEP_TORCH_INCLUDE ATen/ATen.h HINTS ${Torch_ROOT} ${torch_package} PATH_SUFFIXES include)
find_library(LOCKSTEP_TORCH_CPU torch_cpu HINTS ${Torch_ROOT} ${torch_package} PATH_SUFFIXES lib)
find_library(LOCKSTEP_C10 c10 HINTS ${Torch_ROOT} ${torch_package} PATH_SUFFIXES lib)
if(NOT LOCKSTEP_TORCH_INCLUDE OR NOT LOCKSTEP_TORCH_CPU OR NOT LOCKSTEP_C10)
  message(FATAL_ERROR "LibTorch was not found. Give -DTorch_ROOT=FOLDER (a folder with include/ and lib/), or "
                      "-DLOCKSTEP_PYTHON=PYTHON of an environment with torch 2.11; ./quickstart installs one.")
endif()

add_library(lockstep_torch INTERFACE)
add_library(lockstep::torch ALIAS lockstep_torch)
target_include_directories(lockstep_torch SYSTEM INTERFACE ${LOCKSTEP_TORCH_INCLUDE}
                           ${LOCKSTEP_TORCH_INCLUDE}/torch/csrc/api/include)
# The wheel's libraries find the CUDA libraries through their own RPATH, which the linker does not follow.
target_link_libraries(lockstep_torch INTERFACE ${LOCKSTEP_TORCH_CPU} ${LOCKSTEP_C10})
target_link_options(lockstep_torch INTERFACE -Wl,--allow-shlib-undefined)
if(LOCKSTEP_CUDA)
  find_library(LOCKSTEP_TORCH_CUDA torch_cuda HINTS ${Torch_ROOT} ${torch_package} PATH_SUFFIXES lib REQUIRED)
  find_library(LOCKSTEP_C10_CUDA c10_cuda HINTS ${Torch_ROOT} ${torch_package} PATH_SUFFIXES lib REQUIRED)
  # torch_cuda registers itself when loaded and no symbol of it is named here: keep the linker from dropping it.
  target_link_libraries(lockstep_torch INTERFACE -Wl,--push-state,--no-as-needed ${LOCKSTEP_TORCH_CUDA}
                        ${LOCKSTEP_C10_CUDA} -Wl,--pop-state)
  target_compile_definitions(lockstep_torch INTERFACE LOCKSTEP_CUDA=1)
endif()
