#include "dist/check.h"

#include <mpi.h>

#include <string>
#include <string_view>

#include "dist/error.h"

namespace lockstep::dist {

void check(int status, const char* what, std::source_location where) {
  if (status == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  if (MPI_Error_string(status, text, &length) != MPI_SUCCESS) length = 0;
  std::string_view file = where.file_name();
  file.remove_prefix(file.rfind('/') + 1);
  throw CommunicationError(std::string(what) + " failed (" + std::string(file) + ":" + std::to_string(where.line()) +
                           "): " + (length > 0 ? std::string(text, length) : "MPI error " + std::to_string(status)));
}

}  // namespace lockstep::dist
