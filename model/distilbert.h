#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/parameter_layout.h"

namespace lockstep::model {

/// Examples laid end to end without padding (the launcher hands over a data::PackedBatch). Host memory, borrowed for
/// the call.
struct PackedInput {
  std::span<const int32_t> ids;          // [tokens], 0 <= id < vocab_size
  std::span<const int32_t> offsets;      // [examples + 1]
  std::span<const int32_t> labels;       // [examples], 0 <= label < num_labels; may be empty for logits()
  std::span<const int64_t> example_ids;  // [examples], key the dropout masks; may be empty for logits()

  int64_t examples() const { return static_cast<int64_t>(offsets.size()) - 1; }
};

/// "Gradient elements [0, end) are final." Called with rising `end`, from the calling thread, while backward goes on;
/// first with 0, when it begins.
using GradientFrontier = std::function<void(int64_t end)>;

/// What a model computes in. Parameters, gradients and Adam moments are fp32 in either case.
enum class Precision {
  kFloat32,
  /// Mixed: the layers' weights (a rounded copy, made after every update), activations and their gradients in bf16.
  /// fp32: sums of products, softmax, LayerNorm, the embeddings, the classifier, the loss, and parameters' gradients.
  kBFloat16
};

/// How a GPU computes attention; the CPU has one way.
enum class GpuAttention {
  kAuto,  // fused kernels, where they do on this GPU what plain operations do
  kPlain  // slow; dropout masks that do not depend on the number of ranks
};

/// Where a model's work is queued.
struct ComputeStream {
  int device = 0;          // CUDA's number of it
  void* handle = nullptr;  // cudaStream_t; null: the default stream, or the CPU
};

/// DistilBertForSequenceClassification on packed sequences, with a backward of its own. One replica; one thread calls.
/// Parameters, gradients and Adam moments are flat vectors in `layout()` order.
class DistilBert {
 public:
  /// `device`: "cpu", or "cuda:N" in a build with CUDA, which becomes the calling thread's current device. Parameters
  /// are zero until loaded or initialized.
  DistilBert(DistilBertConfig config, const std::string& device, Precision precision = Precision::kFloat32,
             GpuAttention attention = GpuAttention::kPlain);
  ~DistilBert();
  DistilBert(DistilBert&&) noexcept;
  DistilBert& operator=(DistilBert&&) noexcept;

  const DistilBertConfig& config() const;
  const ParameterLayout& layout() const;

  /// Hugging Face's initialization: normal(0, initializer_range) for weights and embeddings, ones and zeros for
  /// LayerNorm, zeros for biases. A function of `seed` only. `only_head`: leave everything but pre_classifier and
  /// classifier as it is.
  void initialize(uint64_t seed, bool only_head);

  /// Host copies of the flat parameters, `layout().size` floats.
  void get_parameters(std::span<float> out) const;
  void set_parameters(std::span<const float> values);
  /// The flat gradient where it is: host memory on the CPU, on a GPU an address that the host cannot read. Valid as
  /// long as the model.
  std::span<float> gradients();
  void zero_gradients();
  /// The stream on which gradients are made and used: LibTorch's current one of the model's device.
  ComputeStream compute_stream() const;

  /// "fused kernels" and what that means, or "plain operations" and why; "" on a CPU.
  std::string attention_words() const;

  /// Multiplications and additions per second that the data sheet of its GPU gives for dense matrix products in its
  /// precision; 0 on a CPU, and for a GPU that is not listed (gpu_peak.cc).
  double peak_flops() const;

  /// Row i: the logits of example i, without dropout. [examples * num_labels], row-major. Overwrites what
  /// forward_backward() keeps, nothing else. Both throw ModelContractError naming the example if a token id, a label or
  /// a length is beyond the model, std::invalid_argument if the input's vectors do not fit together; nothing is
  /// changed.
  std::vector<float> logits(const PackedInput& input);

  /// Forward with dropout masks of (seed, step), then backward: adds gradient_scale * d(sum of cross-entropy losses) to
  /// the gradients and returns the sum of the losses. An empty input adds nothing and returns 0, but still walks
  /// `frontier` to the end. Of several micro-batches, the last one's frontier is the step's.
  double forward_backward(const PackedInput& input, uint64_t dropout_seed, int64_t step, double gradient_scale,
                          const GradientFrontier& frontier = {});

 private:
  friend class AdamW;
  friend class ExchangeBuffer;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep::model
