#include "launcher/commands.h"

int main(int argc, char** argv) {
  return lockstep::run_command({argv + 1, argv + argc});
}
