#pragma once

#include <string>
#include <string_view>

namespace lockstep {

/// What stands here for an option of Hugging Face's Trainer, of its example scripts or of torchrun which `command`
/// does not have, such as "here --learning_rate"; empty if there is nothing to say. `option` without dashes.
std::string counterpart_of(std::string_view command, std::string_view option);

}  // namespace lockstep
