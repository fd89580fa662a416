#include <ATen/ATen.h>
#include <omp.h>

#include "model/attention.h"
#include "model/cpu/attention_head.h"
#include "model/cpu/tensor_rows.h"

namespace lockstep::model {
namespace {

/// One head of one example, and where its rows are.
struct Task {
  AttentionHead head;
  int64_t index = 0;                         // of the head
  int64_t first_query = 0, first_token = 0;  // rows of queries and context, of keys and values

  template <class T>
  HeadRows<T> of(const Projections& all) const {
    return {of_queries<T>(all.query), part<T>(all.key, first_token), part<T>(all.value, first_token)};
  }
  template <class T>
  Rows<T> of_queries(const at::Tensor& all) const {
    return part<T>(all, first_query);
  }
  template <class T>
  Rows<T> part(const at::Tensor& all, int64_t first) const {
    const Rows<T> rows = rows_of<T>(all).from(first);
    return {rows.first + index * head.head_dim, rows.stride};
  }
  SoftmaxRow* part_of(const at::Tensor& softmax) const {
    return reinterpret_cast<SoftmaxRow*>(softmax.mutable_data_ptr<float>()) + index * softmax.size(1) + first_query;
  }
};

Task make_task(const AttentionRows& rows, const DropoutPlace& place, int64_t example, int64_t head, int64_t head_dim,
               float scale) {
  const int64_t length = rows.tokens.length(example), stride = Attention::row_stride(length);
  const int64_t id = rows.tokens.ids.empty() ? 0 : rows.tokens.ids[example];
  return {
      {rows.queries.length(example), length, head_dim, scale, place.of(id), place.p, head * length * stride, stride},
      head,
      rows.queries.begin(example),
      rows.tokens.begin(example)};
}

}  // namespace

struct Attention::Scratch {
  std::vector<AttentionScratch> of_threads;
};

Attention::Attention(int64_t heads, int64_t head_dim, DeviceAttention on_device)
    : heads_(heads), head_dim_(head_dim), on_device_(on_device), scratch_(std::make_unique<Scratch>()) {}
Attention::~Attention() = default;

/// `work`(task, scratch) for every head of every example.
template <class T, class Work>
void Attention::for_each_head(const AttentionRows& rows, const DropoutPlace& place, Work work) {
  scratch_->of_threads.resize(std::max<size_t>(scratch_->of_threads.size(), omp_get_max_threads()));
  for (AttentionScratch& scratch : scratch_->of_threads)
    reserve<T>(scratch, rows.tokens.longest(), head_dim_);
#pragma omp parallel for schedule(dynamic)
  for (int64_t i = 0; i < rows.tokens.count() * heads_; ++i)
    work(make_task(rows, place, i / heads_, i % heads_, head_dim_, scale()),
         scratch_->of_threads[omp_get_thread_num()]);
}

template <class T>
void Attention::forward_in(const Projections& in, const AttentionRows& rows, const DropoutPlace& place,
                           const at::Tensor& context, const at::Tensor& softmax) {
  for_each_head<T>(rows, place, [&](const Task& task, AttentionScratch& scratch) {
    attend<T>(task.head, task.of<const T>(in), task.of_queries<T>(context), task.part_of(softmax), scratch);
  });
}

template <class T>
void Attention::backward_in(const Projections& in, const at::Tensor& context, const at::Tensor& context_gradient,
                            const at::Tensor& softmax, const AttentionRows& rows, const DropoutPlace& place,
                            const Projections& gradient) {
  for_each_head<T>(rows, place, [&](const Task& task, AttentionScratch& scratch) {
    attend_backward<T>(task.head, task.of<const T>(in), task.of_queries<const T>(context),
                       task.of_queries<const T>(context_gradient), task.part_of(softmax), task.of<T>(gradient),
                       scratch);
  });
}

void Attention::forward_on_host(const Projections& in, const AttentionRows& rows, const DropoutPlace& place,
                                const at::Tensor& context, AttentionState& state) {
  if (!state.softmax.defined()) state.softmax = at::empty({0}, at::kFloat);
  state.softmax.resize_({heads_, context.size(0), 2});
  with_type_of(context, [&]<class T>(T) { forward_in<T>(in, rows, place, context, state.softmax); });
}

void Attention::backward_on_host(const Projections& in, const at::Tensor& context, const at::Tensor& context_gradient,
                                 const AttentionState& state, const AttentionRows& rows, const DropoutPlace& place,
                                 const Projections& gradient) {
  with_type_of(context, [&]<class T>(T) {
    backward_in<T>(in, context, context_gradient, state.softmax, rows, place, gradient);
  });
}

}  // namespace lockstep::model
