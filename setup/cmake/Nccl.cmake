# Imported target lockstep::nccl: NCCL and the CUDA runtime that LibTorch itself loads, from the wheels beside it, or from
# -DNccl_ROOT=FOLDER (nccl/include, nccl/lib, cu13/include and cu13/lib in it). Never another copy that the machine may have: a
# process with two of either has streams and communicators that the other does not know. Include after LibTorch.
if(NOT Nccl_ROOT)
  cmake_path(GET LOCKSTEP_TORCH_CPU PARENT_PATH torch_lib)
  cmake_path(SET Nccl_ROOT NORMALIZE ${torch_lib}/../../nvidia)
endif()
find_path(LOCKSTEP_NCCL_INCLUDE nccl.h PATHS ${Nccl_ROOT}/nccl/include NO_DEFAULT_PATH)
find_path(LOCKSTEP_CUDART_INCLUDE cuda_runtime_api.h PATHS ${Nccl_ROOT}/cu13/include NO_DEFAULT_PATH)
find_library(LOCKSTEP_NCCL libnccl.so.2 PATHS ${Nccl_ROOT}/nccl/lib NO_DEFAULT_PATH)
find_library(LOCKSTEP_CUDART libcudart.so.13 PATHS ${Nccl_ROOT}/cu13/lib NO_DEFAULT_PATH)
if(NOT LOCKSTEP_NCCL_INCLUDE OR NOT LOCKSTEP_CUDART_INCLUDE OR NOT LOCKSTEP_NCCL OR NOT LOCKSTEP_CUDART)
  message(FATAL_ERROR "NCCL 2 and the CUDA 13 runtime were not found in ${Nccl_ROOT}. LOCKSTEP_CUDA needs the wheels "
                      "nvidia-nccl-cu13 and nvidia-cuda-runtime beside torch's; ./quickstart installs them.")
endif()

add_library(lockstep_nccl INTERFACE)
add_library(lockstep::nccl ALIAS lockstep_nccl)
target_include_directories(lockstep_nccl SYSTEM INTERFACE ${LOCKSTEP_NCCL_INCLUDE} ${LOCKSTEP_CUDART_INCLUDE})
target_link_libraries(lockstep_nccl INTERFACE ${LOCKSTEP_NCCL} ${LOCKSTEP_CUDART})
