#pragma once

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "model/attention.h"
#include "model/distilbert.h"
#include "model/linear.h"
#include "model/row_operations.h"

namespace lockstep::model {

/// For as long as one lives, calls of operations and views leave out the layers that autograd puts before them, which
/// on a GPU cost about as much as the step's kernels. No tensor here requires gradients.
using WithoutAutograd = at::AutoDispatchBelowADInplaceOrView;

struct Layer {
  Linear qkv;               // the three projections, one after the other
  Linear query, key_value;  // its parts
  Linear out, lin1, lin2;
  Norm attention_norm, output_norm;
  int64_t frontier = 0;  // end of its slots in the flat layout
};

/// What a layer keeps, [R, .] each: of all rows, R = T, or in the last layer of the first row of each example, which is
/// all that the head reads. Buffers: they keep their memory from step to step.
struct LayerState {
  at::Tensor first_rows, first_query;  // last layer only: its input, and the queries
  at::Tensor qkv;                      // [T, 3 * dim]; last layer: keys and values, [T, 2 * dim]
  AttentionState attention;
  at::Tensor context, attended, hidden, output;  // attended: after sa_layer_norm; hidden: before the activation
  NormState attention_norm, output_norm;
};

/// One packed batch on the device.
struct Batch {
  Examples examples;
  Examples heads;                              // the same examples, one row each
  at::Tensor ids, positions, first_rows;       // [T], [T], [examples]; int64
  std::unique_ptr<MaskCounterCache> counters;  // of both
};

/// Dropout of one step; off for evaluation.
struct DropoutRun {
  bool on = false;
  uint64_t seed = 0;
  int64_t step = 0;
};

struct DistilBert::Impl {
  Impl(DistilBertConfig config, const std::string& device, Precision precision, GpuAttention wish);

  /// After every change of the parameters.
  void refresh_weights();

  void upload_offsets(Batch& batch) const;
  Batch upload(const PackedInput& input, std::vector<int32_t>& head_offsets) const;

  /// Forward to the logits [examples, labels]; states are kept for backward if `run.on`.
  at::Tensor forward(const Batch& batch, const DropoutRun& run);
  void backward(const Batch& batch, const DropoutRun& run, const at::Tensor& logits_gradient,
                const GradientFrontier& frontier);

  /// What embed() made.
  const at::Tensor& embeddings() const { return weights.scalar_type() == at::kFloat ? normalized : embedded; }
  const at::Tensor& embed(const Batch& batch, const DropoutRun& run);
  const at::Tensor& layer_forward(size_t index, const at::Tensor& input, const Batch& batch, const DropoutRun& run);
  at::Tensor head_forward(const Batch& batch, const DropoutRun& run, const at::Tensor& last);

  /// Each turns `gradient` of its output into that of its input and adds to the gradients of its parameters.
  void head_backward(const Batch& batch, const DropoutRun& run, const at::Tensor& logits_gradient);
  void layer_backward(size_t index, const at::Tensor& input, const Batch& batch, const DropoutRun& run);
  void embed_backward(const Batch& batch, const DropoutRun& run);

  bool is_last(size_t layer) const { return layer + 1 == layers.size(); }
  AttentionRows attention_rows(size_t layer, const Batch& batch) const;
  /// Queries, keys and values of a layer, into its state and from there.
  void project(size_t layer, const at::Tensor& input, const Batch& batch, LayerState& state) const;
  Projections projections(size_t layer, const LayerState& state) const;
  Projections projection_gradients(size_t layer, const Batch& batch);
  void project_backward(size_t layer, const at::Tensor& input, const Batch& batch);
  DropoutPlace place(const DropoutRun& run, DropoutSite site, size_t layer, double p) const;
  LayerState& state(size_t layer, const DropoutRun& run);
  at::Tensor flat_view(const at::Tensor& flat, const std::string& name, const std::vector<int64_t>& shape) const;
  /// `values`: `parameters` or `weights`.
  Linear linear(const at::Tensor& values, const std::string& name) const;
  Norm norm(const std::string& name) const;
  Layer layer(int64_t index) const;

  DistilBertConfig config;
  ParameterLayout layout;
  at::Device device;
  at::Tensor parameters, gradients;  // flat, on the device
  at::Tensor weights;  // what the layers compute with: `parameters`, or a bf16 copy of all up to the embeddings

  Linear classifier, pre_classifier;
  std::vector<Layer> layers;
  Norm embedding_norm;
  at::Tensor word, word_gradient, position, position_gradient;

  std::string attention_problem;  // why it is not by fused kernels; "" if it is
  Attention attention;
  NormState embedding_state;
  at::Tensor embedding_rows;  // fp32: positions' rows, later gradients
  at::Tensor normalized;      // fp32, after LayerNorm and dropout
  at::Tensor embedded;        // the same in the layers' type
  std::vector<LayerState> states;
  at::Tensor pooled, classifier_input;               // head, fp32: [examples, dim] before pre_classifier; after dropout
  at::Tensor gradient, branch, wide, wide_gradient;  // [R, dim], [R, dim], [R, hidden_dim], [R, hidden_dim]
  at::Tensor qkv_gradient, query_gradient;           // as LayerState's qkv and first_query
};

}  // namespace lockstep::model
