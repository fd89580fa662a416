// Forward and backward of DistilBERT's parts. T tokens in all, no padding; every tensor below is [T, .] or [examples,
// .].
#include <ATen/ATen.h>

#include "model/cpu/tensor_rows.h"
#include "model/distilbert_impl.h"

namespace lockstep::model {
namespace {

/// For products of bf16 on the CPU, LibTorch's oneDNN compiles a kernel for each number of rows. Rows of buffers,
/// which are independent of each other there, are therefore taken to a multiple of kRowStep.
at::Tensor rounded_up(const at::Tensor& rows) {
  if (!rows.is_cpu() || rows.scalar_type() == at::kFloat) return rows;
  return rows.as_strided({(rows.size(0) + kRowStep - 1) / kRowStep * kRowStep, rows.size(1)}, rows.strides());
}

/// Likewise, with zeros beyond the last row: kernels read rows of a length that is no multiple of theirs on into the
/// next one and multiply that by zero, which a NaN there would survive.
at::Tensor rounded_up_with_zeros(const at::Tensor& rows) {
  at::Tensor all = rounded_up(rows);
  if (all.size(0) > rows.size(0)) all.narrow(0, rows.size(0), all.size(0) - rows.size(0)).zero_();
  return all;
}

/// out = input W^T + b
void apply(const Linear& linear, const at::Tensor& input, at::Tensor& out) {
  at::Tensor rows = rounded_up(fit(out, input.size(0), linear.weight.size(0), input));
  at::addmm_out(rows, linear.bias, rounded_up_with_zeros(input), linear.weight.t());
}

/// input_gradient = out_gradient W
void apply_transposed(const Linear& linear, const at::Tensor& out_gradient, at::Tensor& input_gradient) {
  at::Tensor rows = rounded_up(fit(input_gradient, out_gradient.size(0), linear.weight.size(1), out_gradient));
  at::mm_out(rows, rounded_up_with_zeros(out_gradient), linear.weight);
}
/// input_gradient += out_gradient W
void add_transposed(const Linear& linear, const at::Tensor& out_gradient, const at::Tensor& input_gradient) {
  rounded_up(input_gradient).addmm_(rounded_up_with_zeros(out_gradient), linear.weight);
}

/// Adds the weight's gradient; the input's is out_gradient W, which callers put where they need it. Products of bf16
/// are summed and kept in fp32.
void add_weight_gradient(const Linear& linear, const at::Tensor& input, const at::Tensor& out_gradient) {
  at::Tensor weight_gradient = linear.weight_gradient;
  if (input.scalar_type() == at::kFloat) {
    weight_gradient.addmm_(out_gradient.t(), input);
  } else if (input.is_cpu()) {
    multiply({out_gradient.size(1), input.size(1), input.size(0)}, transposed(rows_of<Bf16>(out_gradient)),
             plain(rows_of<Bf16>(input)), rows_of<float>(weight_gradient), Into::kAdd);
  } else {
    weight_gradient.add_(at::mm(out_gradient.t(), input, at::kFloat));
  }
}

void add_gradients(const Linear& linear, const at::Tensor& input, const at::Tensor& out_gradient) {
  add_weight_gradient(linear, input, out_gradient);
  add_column_sums(out_gradient, linear.bias_gradient);
}

/// [T, n * dim] apart, into n.
at::Tensor part(const at::Tensor& rows, int64_t index, int64_t dim) {
  return rows.narrow(1, index * dim, dim);
}

Projections parts_of(const at::Tensor& qkv, int64_t dim) {
  return {part(qkv, 0, dim), part(qkv, 1, dim), part(qkv, 2, dim)};
}
Projections parts_of(const at::Tensor& query, const at::Tensor& key_value, int64_t dim) {
  return {query, part(key_value, 0, dim), part(key_value, 1, dim)};
}

}  // namespace

DropoutPlace DistilBert::Impl::place(const DropoutRun& run, DropoutSite site, size_t layer, double p) const {
  return {{run.seed, run.step, 0, static_cast<uint32_t>(layer), site}, run.on ? p : 0.0};
}

/// Without a backward to come, two layers' worth of buffers take turns.
LayerState& DistilBert::Impl::state(size_t layer, const DropoutRun& run) {
  return states[run.on ? layer : layer % 2];
}

const at::Tensor& DistilBert::Impl::embed(const Batch& batch, const DropoutRun& run) {
  const int64_t tokens = batch.ids.size(0);
  at::index_select_out(fit(embedding_state.input, tokens, config.dim, parameters), word, 0, batch.ids);
  at::index_select_out(fit(embedding_rows, tokens, config.dim, parameters), position, 0, batch.positions);
  residual_norm(embedding_norm, embedding_state, embedding_rows, {}, normalized);
  drop_rows(normalized, batch.examples, place(run, DropoutSite::kEmbeddings, 0, config.dropout));
  if (weights.scalar_type() != at::kFloat) fit(embedded, tokens, config.dim, weights).copy_(normalized);
  return embeddings();
}

void DistilBert::Impl::embed_backward(const Batch& batch, const DropoutRun& run) {
  at::Tensor& rows = fit(embedding_rows, gradient.size(0), config.dim, parameters);
  rows.copy_(gradient);
  drop_rows(rows, batch.examples, place(run, DropoutSite::kEmbeddings, 0, config.dropout));
  residual_norm_backward(embedding_norm, embedding_state, {}, rows, rows, {});
  add_rows(position_gradient, batch.positions, rows);
  rows.masked_fill_(batch.ids.eq(config.pad_token_id).unsqueeze(1), 0);  // as torch's padding_idx
  add_rows(word_gradient, batch.ids, rows);
}

AttentionRows DistilBert::Impl::attention_rows(size_t layer, const Batch& batch) const {
  return {is_last(layer) ? batch.heads : batch.examples, batch.examples};
}

void DistilBert::Impl::project(size_t index, const at::Tensor& input, const Batch& batch, LayerState& s) const {
  const Layer& layer = layers[index];
  if (!is_last(index)) return apply(layer.qkv, input, s.qkv);
  at::index_select_out(fit(s.first_rows, batch.heads.count(), config.dim, input), input, 0, batch.first_rows);
  apply(layer.query, s.first_rows, s.first_query);
  apply(layer.key_value, input, s.qkv);
}

Projections DistilBert::Impl::projections(size_t index, const LayerState& s) const {
  return is_last(index) ? parts_of(s.first_query, s.qkv, config.dim) : parts_of(s.qkv, config.dim);
}

Projections DistilBert::Impl::projection_gradients(size_t index, const Batch& batch) {
  const int64_t tokens = batch.ids.size(0), dim = config.dim;
  if (!is_last(index)) return parts_of(fit(qkv_gradient, tokens, 3 * dim, weights), dim);
  return parts_of(fit(query_gradient, batch.heads.count(), dim, weights), fit(qkv_gradient, tokens, 2 * dim, weights),
                  dim);
}

void DistilBert::Impl::project_backward(size_t index, const at::Tensor& input, const Batch& batch) {
  const Layer& layer = layers[index];
  if (!is_last(index)) {
    add_gradients(layer.qkv, input, qkv_gradient);
    add_transposed(layer.qkv, qkv_gradient, gradient);
    return;
  }
  add_gradients(layer.query, states[index].first_rows, query_gradient);
  add_gradients(layer.key_value, input, qkv_gradient);
  add_transposed(layer.query, query_gradient, gradient);
  apply_transposed(layer.key_value, qkv_gradient, branch);
  branch.index_add_(0, batch.first_rows, gradient);
  std::swap(branch, gradient);
}

const at::Tensor& DistilBert::Impl::layer_forward(size_t index, const at::Tensor& input, const Batch& batch,
                                                  const DropoutRun& run) {
  const Layer& layer = layers[index];
  LayerState& s = state(index, run);
  const AttentionRows rows = attention_rows(index, batch);
  project(index, input, batch, s);
  const at::Tensor& residual = is_last(index) ? s.first_rows : input;
  fit(s.context, residual.size(0), config.dim, input);
  attention.forward(projections(index, s), rows, place(run, DropoutSite::kAttention, index, config.attention_dropout),
                    s.context, s.softmax);
  apply(layer.out, s.context, s.attention_norm.input);
  residual_norm(layer.attention_norm, s.attention_norm, residual, {}, s.attended);

  apply(layer.lin1, s.attended, s.hidden);
  activate(config.activation, s.hidden, wide);
  apply(layer.lin2, wide, s.output_norm.input);
  residual_norm(layer.output_norm, s.output_norm, s.attended,
                {rows.queries, place(run, DropoutSite::kFeedForward, index, config.dropout)}, s.output);
  return s.output;
}

void DistilBert::Impl::layer_backward(size_t index, const at::Tensor& input, const Batch& batch,
                                      const DropoutRun& run) {
  const Layer& layer = layers[index];
  const LayerState& s = states[index];
  const AttentionRows rows = attention_rows(index, batch);
  // From here `gradient` is that of the feed-forward's output, `branch`, and of `attended`.
  residual_norm_backward(layer.output_norm, s.output_norm,
                         {rows.queries, place(run, DropoutSite::kFeedForward, index, config.dropout)}, gradient, branch,
                         layer.lin2.bias_gradient);
  apply_transposed(layer.lin2, branch, wide_gradient);
  activate_backward(config.activation, s.hidden, wide_gradient, wide, layer.lin1.bias_gradient);
  add_weight_gradient(layer.lin2, wide, branch);
  add_weight_gradient(layer.lin1, s.attended, wide_gradient);
  add_transposed(layer.lin1, wide_gradient, gradient);

  // And from here that of attention's output and of `input`.
  residual_norm_backward(layer.attention_norm, s.attention_norm, {}, gradient, gradient, layer.out.bias_gradient);
  add_weight_gradient(layer.out, s.context, gradient);
  apply_transposed(layer.out, gradient, branch);
  attention.backward(projections(index, s), s.context, branch, s.softmax, rows,
                     place(run, DropoutSite::kAttention, index, config.attention_dropout),
                     projection_gradients(index, batch));
  project_backward(index, input, batch);
}

at::Tensor DistilBert::Impl::head_forward(const Batch& batch, const DropoutRun& run, const at::Tensor& last) {
  pooled = last.to(at::kFloat);
  apply(pre_classifier, pooled, classifier_input);
  classifier_input.clamp_min_(0);
  drop_rows(classifier_input, batch.heads, place(run, DropoutSite::kClassifier, 0, config.seq_classif_dropout));
  at::Tensor logits;
  apply(classifier, classifier_input, logits);
  return logits;
}

void DistilBert::Impl::head_backward(const Batch& batch, const DropoutRun& run, const at::Tensor& logits_gradient) {
  add_gradients(classifier, classifier_input, logits_gradient);
  at::Tensor d_input = at::mm(logits_gradient, classifier.weight);
  drop_rows(d_input, batch.heads, place(run, DropoutSite::kClassifier, 0, config.seq_classif_dropout));
  d_input = at::threshold_backward(d_input, classifier_input, 0);  // what dropout zeroed is zero in d_input already
  add_gradients(pre_classifier, pooled, d_input);
  fit(gradient, d_input.size(0), config.dim, weights).copy_(at::mm(d_input, pre_classifier.weight));
}

}  // namespace lockstep::model
