# Target `bundle`: lockstep-VERSION-linux-PROCESSOR[-cuda].tar.gz in the build folder, and the folder that it unpacks to. See
# docs/guide/bundle.md. lockstep_bundle(TARGET NAME PROGRAMS target... [FILES source=place...]) makes one.
include_guard()
set(LOCKSTEP_BUNDLE_NAME lockstep-${PROJECT_VERSION}-linux-${CMAKE_SYSTEM_PROCESSOR})
if(LOCKSTEP_CUDA)
  string(APPEND LOCKSTEP_BUNDLE_NAME -cuda)
endif()

function(lockstep_bundle target name)
  cmake_parse_arguments(arg "" "" "PROGRAMS;FILES" ${ARGN})
  set(pack ${PROJECT_SOURCE_DIR}/setup/bundle)
  set(archive ${PROJECT_BINARY_DIR}/${name}.tar.gz)
  cmake_path(GET LOCKSTEP_TORCH_CPU PARENT_PATH torch_lib)
  cmake_path(GET torch_lib PARENT_PATH torch)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${pack}/* ${PROJECT_SOURCE_DIR}/configs/* ${PROJECT_SOURCE_DIR}/slurm/* ${PROJECT_SOURCE_DIR}/docs/*)
  foreach(program IN LISTS arg_PROGRAMS)
    list(APPEND options --program $<TARGET_FILE:${program}>)
  endforeach()
  list(APPEND options --part $<TARGET_FILE:lockstep-core> --part $<TARGET_FILE:lockstep-export>)  # lockstep starts them
  foreach(file IN LISTS arg_FILES)
    list(APPEND options --add ${file})
    string(REGEX REPLACE "=.*" "" source ${file})
    list(APPEND sources ${source})
  endforeach()
  if(LOCKSTEP_CUDA)
    list(APPEND options --cuda)
  endif()
  add_custom_command(OUTPUT ${archive} DEPENDS ${arg_PROGRAMS} lockstep-core lockstep-export ${sources} VERBATIM
                     COMMENT "Packing ${name}.tar.gz"
                     COMMAND ${LOCKSTEP_PYTHON} ${pack}/pack.py --name ${name} --version ${PROJECT_VERSION} --torch ${torch}
                             --mpirun ${MPIEXEC_EXECUTABLE} --output ${PROJECT_BINARY_DIR} ${options})
  add_custom_target(${target} DEPENDS ${archive})
endfunction()

lockstep_bundle(bundle ${LOCKSTEP_BUNDLE_NAME} PROGRAMS lockstep)
