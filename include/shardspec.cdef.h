typedef struct shardspec_spec shardspec_spec;
typedef struct shardspec_metadata shardspec_metadata;
typedef struct shardspec_dtype shardspec_dtype;
typedef struct shardspec_device shardspec_device;
typedef struct shardspec_tensor_view shardspec_tensor_view;
typedef struct shardspec_copy_options shardspec_copy_options;
typedef struct shardspec_sharded_tensor shardspec_sharded_tensor;
typedef struct shardspec_placement shardspec_placement;
typedef struct shardspec_shard_metadata shardspec_shard_metadata;
typedef struct shardspec_shards shardspec_shards;
typedef struct shardspec_tensor_properties shardspec_tensor_properties;
typedef int32_t shardspec_status;
typedef struct shardspec_error shardspec_error;
typedef struct shardspec_mesh shardspec_mesh;
typedef struct shardspec_segment shardspec_segment;
typedef struct shardspec_cut shardspec_cut;
typedef struct shardspec_pad shardspec_pad;
typedef struct shardspec_partial shardspec_partial;
typedef struct shardspec_mesh_layout shardspec_mesh_layout;
typedef struct shardspec_stretch shardspec_stretch;
typedef struct shardspec_plan shardspec_plan;
typedef struct shardspec_run shardspec_run;
typedef struct shardspec_merge_options shardspec_merge_options;
typedef struct shardspec_read shardspec_read;
typedef struct shardspec_draw_options shardspec_draw_options;
typedef struct shardspec_checkpoint shardspec_checkpoint;
typedef struct shardspec_checkpoint_read_options shardspec_checkpoint_read_options;
typedef struct shardspec_checkpoint_item shardspec_checkpoint_item;
typedef struct shardspec_checkpoint_read_report shardspec_checkpoint_read_report;
typedef struct shardspec_checkpoint_tensor shardspec_checkpoint_tensor;
typedef struct shardspec_checkpoint_write_options shardspec_checkpoint_write_options;
typedef struct shardspec_checkpoint_rule shardspec_checkpoint_rule;
typedef struct shardspec_managed_tensor shardspec_managed_tensor;
typedef struct shardspec_legacy_managed_tensor shardspec_legacy_managed_tensor;
typedef struct shardspec_message shardspec_message;
typedef struct shardspec_comm_vtable shardspec_comm_vtable;
typedef struct shardspec_comm shardspec_comm;
typedef struct shardspec_comm_options shardspec_comm_options;
typedef struct shardspec_comm_tensor shardspec_comm_tensor;
typedef struct shardspec_transfer shardspec_transfer;
typedef struct shardspec_request shardspec_request;
typedef struct shardspec_runtime_ctx shardspec_runtime_ctx;
typedef struct shardspec_placement_vtable shardspec_placement_vtable;
typedef struct shardspec_metadata_builder shardspec_metadata_builder;
typedef struct shardspec_spec_vtable shardspec_spec_vtable;
typedef struct shardspec_value shardspec_value;
typedef struct shardspec_op_arguments shardspec_op_arguments;
typedef struct shardspec_op shardspec_op;
typedef struct shardspec_op_options shardspec_op_options;
enum { SHARDSPEC_DTYPE_INT = 0 };
enum { SHARDSPEC_DTYPE_UINT = 1 };
enum { SHARDSPEC_DTYPE_FLOAT = 2 };
enum { SHARDSPEC_DTYPE_OPAQUE_HANDLE = 3 };
enum { SHARDSPEC_DTYPE_BFLOAT = 4 };
enum { SHARDSPEC_DTYPE_COMPLEX = 5 };
enum { SHARDSPEC_DTYPE_BOOL = 6 };
enum { SHARDSPEC_DTYPE_FLOAT8_E3M4 = 7 };
enum { SHARDSPEC_DTYPE_FLOAT8_E4M3 = 8 };
enum { SHARDSPEC_DTYPE_FLOAT8_E4M3B11FNUZ = 9 };
enum { SHARDSPEC_DTYPE_FLOAT8_E4M3FN = 10 };
enum { SHARDSPEC_DTYPE_FLOAT8_E4M3FNUZ = 11 };
enum { SHARDSPEC_DTYPE_FLOAT8_E5M2 = 12 };
enum { SHARDSPEC_DTYPE_FLOAT8_E5M2FNUZ = 13 };
enum { SHARDSPEC_DTYPE_FLOAT8_E8M0FNU = 14 };
enum { SHARDSPEC_DTYPE_FLOAT6_E2M3FN = 15 };
enum { SHARDSPEC_DTYPE_FLOAT6_E3M2FN = 16 };
enum { SHARDSPEC_DTYPE_FLOAT4_E2M1FN = 17 };
enum { SHARDSPEC_MAX_NDIM = 32 };
enum { SHARDSPEC_DLPACK_DEVICE_CPU = 1 };
enum { SHARDSPEC_DLPACK_DEVICE_CUDA_HOST = 3 };
enum { SHARDSPEC_DLPACK_DEVICE_ROCM_HOST = 11 };
enum { SHARDSPEC_COPY_THREADS_AUTO = 0 };
enum { SHARDSPEC_COPY_HINT_STREAM = 1 };
enum { SHARDSPEC_COPY_HINT_CACHED = 2 };
enum { SHARDSPEC_COPY_HINT_PORTABLE = 4 };
enum { SHARDSPEC_FILL_UNINITIALIZED = 0 };
enum { SHARDSPEC_FILL_ZERO = 1 };
enum { SHARDSPEC_DEVICE_CPU = 0 };
enum { SHARDSPEC_DEVICE_CUDA = 1 };
enum { SHARDSPEC_DEVICE_MKLDNN = 2 };
enum { SHARDSPEC_DEVICE_OPENGL = 3 };
enum { SHARDSPEC_DEVICE_OPENCL = 4 };
enum { SHARDSPEC_DEVICE_IDEEP = 5 };
enum { SHARDSPEC_DEVICE_HIP = 6 };
enum { SHARDSPEC_DEVICE_FPGA = 7 };
enum { SHARDSPEC_DEVICE_MAIA = 8 };
enum { SHARDSPEC_DEVICE_XLA = 9 };
enum { SHARDSPEC_DEVICE_VULKAN = 10 };
enum { SHARDSPEC_DEVICE_XPU = 12 };
enum { SHARDSPEC_DEVICE_MPS = 13 };
enum { SHARDSPEC_DEVICE_META = 14 };
enum { SHARDSPEC_DEVICE_HPU = 15 };
enum { SHARDSPEC_DEVICE_VE = 16 };
enum { SHARDSPEC_DEVICE_LAZY = 17 };
enum { SHARDSPEC_DEVICE_IPU = 18 };
enum { SHARDSPEC_DEVICE_MTIA = 19 };
enum { SHARDSPEC_DEVICE_PRIVATEUSEONE = 20 };
enum { SHARDSPEC_LAYOUT_STRIDED = 0 };
enum { SHARDSPEC_LAYOUT_SPARSE_COO = 1 };
enum { SHARDSPEC_LAYOUT_SPARSE_CSR = 2 };
enum { SHARDSPEC_LAYOUT_MKLDNN = 3 };
enum { SHARDSPEC_LAYOUT_SPARSE_CSC = 4 };
enum { SHARDSPEC_LAYOUT_SPARSE_BSR = 5 };
enum { SHARDSPEC_LAYOUT_SPARSE_BSC = 6 };
enum { SHARDSPEC_LAYOUT_JAGGED = 7 };
enum { SHARDSPEC_MEMORY_FORMAT_CONTIGUOUS = 0 };
enum { SHARDSPEC_MEMORY_FORMAT_PRESERVE = 1 };
enum { SHARDSPEC_MEMORY_FORMAT_CHANNELS_LAST = 2 };
enum { SHARDSPEC_MEMORY_FORMAT_CHANNELS_LAST_3D = 3 };
enum { SHARDSPEC_OK = 0 };
enum { SHARDSPEC_NULL_ARGUMENT = 1 };
enum { SHARDSPEC_INVALID_ARGUMENT = 2 };
enum { SHARDSPEC_INVALID_HANDLE = 3 };
enum { SHARDSPEC_INVALID_PLACEMENT = 4 };
enum { SHARDSPEC_INVALID_DIM = 5 };
enum { SHARDSPEC_INDEX_OUT_OF_RANGE = 6 };
enum { SHARDSPEC_NDIM_MISMATCH = 7 };
enum { SHARDSPEC_OVERLAP = 8 };
enum { SHARDSPEC_GAP = 9 };
enum { SHARDSPEC_OUT_OF_BOUNDS = 10 };
enum { SHARDSPEC_OVERFLOW = 11 };
enum { SHARDSPEC_BUFFER_TOO_SMALL = 12 };
enum { SHARDSPEC_SHAPE_MISMATCH = 13 };
enum { SHARDSPEC_DTYPE_MISMATCH = 14 };
enum { SHARDSPEC_UNSUPPORTED_DEVICE = 15 };
enum { SHARDSPEC_ALIASED = 16 };
enum { SHARDSPEC_UNSUPPORTED = 17 };
enum { SHARDSPEC_OUT_OF_MEMORY = 18 };
enum { SHARDSPEC_NOT_FOUND = 19 };
enum { SHARDSPEC_WRONG_SPEC_TYPE = 20 };
enum { SHARDSPEC_INTERNAL = 21 };
enum { SHARDSPEC_ALREADY_EXISTS = 22 };
enum { SHARDSPEC_BUSY = 23 };
enum { SHARDSPEC_NO_ARGUMENTS = 24 };
enum { SHARDSPEC_NO_SHARDED_TENSOR = 25 };
enum { SHARDSPEC_COMMUNICATOR_MISMATCH = 26 };
enum { SHARDSPEC_DISAGREEMENT = 28 };
enum { SHARDSPEC_TRANSPORT_FAILED = 29 };
enum { SHARDSPEC_NOT_LOCAL = 30 };
enum { SHARDSPEC_READ_ONLY = 39 };
enum { SHARDSPEC_CALLBACK_FAILED = 40 };
enum { SHARDSPEC_ILLEGAL_CUT = 41 };
enum { SHARDSPEC_PARTIAL = 42 };
enum { SHARDSPEC_FILE_FAILED = 50 };
enum { SHARDSPEC_INVALID_FILE = 51 };
enum { SHARDSPEC_MESSAGE_CAPACITY = 968 };
enum { SHARDSPEC_ERROR_SHORT_SIZE = 56 };
enum { SHARDSPEC_VERSION_MAJOR = 0 };
enum { SHARDSPEC_VERSION_MINOR = 1 };
enum { SHARDSPEC_VERSION_PATCH = 0 };
enum { SHARDSPEC_ABI_VERSION = 0 };
enum { SHARDSPEC_RULE_CHUNK = 1 };
enum { SHARDSPEC_RULE_BALANCED = 2 };
enum { SHARDSPEC_RULE_SIZES = 3 };
enum { SHARDSPEC_RULE_WEIGHTS = 4 };
enum { SHARDSPEC_RULE_CYCLIC = 5 };
enum { SHARDSPEC_REPEAT_AS_NEEDED = -1 };
enum { SHARDSPEC_REDUCTION_SUM = 1 };
enum { SHARDSPEC_REDUCTION_AVG = 2 };
enum { SHARDSPEC_REDUCTION_PRODUCT = 3 };
enum { SHARDSPEC_REDUCTION_MIN = 4 };
enum { SHARDSPEC_REDUCTION_MAX = 5 };
enum { SHARDSPEC_REDUCTION_BAND = 6 };
enum { SHARDSPEC_REDUCTION_BOR = 7 };
enum { SHARDSPEC_REDUCTION_BXOR = 8 };
enum { SHARDSPEC_NOTATION_DTENSOR = 1 };
enum { SHARDSPEC_NOTATION_JAX = 2 };
enum { SHARDSPEC_NOTATION_XLA = 3 };
enum { SHARDSPEC_NOTATION_SHARDY = 4 };
enum { SHARDSPEC_SCALAPACK_ENTRY_COUNT = 9 };
enum { SHARDSPEC_INTERVAL = 4294967295 };
enum { SHARDSPEC_MAX_PICTURE_SIZE = 262144 };
enum { SHARDSPEC_PICTURE_TEXT = 0 };
enum { SHARDSPEC_PICTURE_SVG = 1 };
enum { SHARDSPEC_THEME_AUTO = 0 };
enum { SHARDSPEC_THEME_LIGHT = 1 };
enum { SHARDSPEC_THEME_DARK = 2 };
enum { SHARDSPEC_CHECKPOINT_MAX_PROBLEMS = 1024 };
enum { SHARDSPEC_CHECKPOINT_FILES_OF_OWNERS = 0 };
enum { SHARDSPEC_CHECKPOINT_FILES_ONE = 1 };
enum { SHARDSPEC_DLPACK_MAJOR_VERSION = 1 };
enum { SHARDSPEC_DLPACK_MINOR_VERSION = 0 };
enum { SHARDSPEC_DLPACK_FLAG_READ_ONLY = 1 };
enum { SHARDSPEC_DLPACK_FLAG_IS_COPIED = 2 };
enum { SHARDSPEC_ALL_RANKS = -1 };
enum { SHARDSPEC_DEFAULT_MEMORY_LIMIT = 67108864 };
enum { SHARDSPEC_USER_STATUS = 1000 };
enum { SHARDSPEC_CALLBACK_OK = 999 };
enum { SHARDSPEC_CALLBACK_OK_IN_ERR = 998 };
enum { SHARDSPEC_VALUE_NONE = 0 };
enum { SHARDSPEC_VALUE_BOOL = 1 };
enum { SHARDSPEC_VALUE_I64 = 2 };
enum { SHARDSPEC_VALUE_F64 = 3 };
enum { SHARDSPEC_VALUE_TEXT = 4 };
enum { SHARDSPEC_VALUE_TENSOR_VIEW = 5 };
enum { SHARDSPEC_VALUE_SHARDED_TENSOR = 6 };
enum { SHARDSPEC_VALUE_I64_LIST = 7 };
enum { SHARDSPEC_VALUE_POINTER = 8 };
enum { SHARDSPEC_OP_FLAG_REPLACE = 1 };
typedef shardspec_status (*shardspec_progress_fn)(
    void *ctx, uint64_t bytes_done, uint64_t bytes_total, shardspec_error *err);
typedef shardspec_status (*shardspec_exchange_fn)(
    void *ctx, const shardspec_message *sends, size_t send_count, const shardspec_message *receives,
    size_t receive_count, shardspec_error *err);
typedef shardspec_status (*shardspec_exchange_start_fn)(
    void *ctx, const shardspec_message *sends, size_t send_count, const shardspec_message *receives,
    size_t receive_count, void **exchange, shardspec_error *err);
typedef shardspec_status (*shardspec_exchange_test_fn)(
    void *ctx, void *exchange, int32_t *done, shardspec_error *err);
typedef shardspec_status (*shardspec_exchange_wait_fn)(
    void *ctx, void *exchange, shardspec_error *err);
typedef void (*shardspec_abort_fn)(void *ctx, const char *reason);
typedef int64_t (*shardspec_node_fn)(void *ctx, int64_t rank);
typedef int32_t (*shardspec_equal_fn)(void *ctx, void *other_ctx);
typedef uint64_t (*shardspec_hash_fn)(void *ctx);
typedef void (*shardspec_destroy_fn)(void *ctx);
typedef int32_t (*shardspec_enter_fn)(void);
typedef void (*shardspec_leave_fn)(int32_t state);
typedef shardspec_status (*shardspec_build_metadata_fn)(
    void *ctx, const int64_t *sizes, const char *const *dim_names, size_t ndim,
    const shardspec_tensor_properties *properties, shardspec_metadata_builder *builder,
    shardspec_error *err);
typedef shardspec_status (*shardspec_fill_shard_fn)(
    void *ctx, const shardspec_metadata *metadata, size_t index, const shardspec_tensor_view *full,
    const shardspec_tensor_view *shard, const shardspec_copy_options *options,
    shardspec_error *err);
typedef shardspec_status (*shardspec_op_fn)(
    void *ctx, const shardspec_spec *spec, const shardspec_op_arguments *arguments,
    shardspec_value *results, size_t result_count, shardspec_error *err);
struct shardspec_dtype {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
};
struct shardspec_device {
  int32_t device_type;
  int32_t device_id;
};
struct shardspec_tensor_view {
  void *data;
  shardspec_device device;
  int32_t ndim;
  shardspec_dtype dtype;
  int64_t *shape;
  int64_t *strides;
  uint64_t byte_offset;
};
struct shardspec_copy_options {
  uint64_t struct_size;
  uint32_t max_threads;
  uint32_t hints;
};
struct shardspec_shard_metadata {
  size_t ndim;
  const int64_t *offsets;
  const int64_t *sizes;
  const char *placement;
};
struct shardspec_tensor_properties {
  uint64_t struct_size;
  shardspec_dtype dtype;
  int32_t layout;
  int32_t memory_format;
  int32_t requires_grad;
  int32_t pin_memory;
  int32_t reserved;
};
struct shardspec_error {
  uint64_t struct_size;
  shardspec_status status;
  int32_t dim;
  int64_t first_shard;
  int64_t second_shard;
  int64_t got;
  int64_t limit;
  int64_t index;
  char message[968];
};
struct shardspec_segment {
  uint64_t struct_size;
  int64_t size;
  int32_t rule;
  int32_t even;
  int64_t granule;
  int64_t repeat;
  int64_t block;
  int64_t first;
  const int64_t *values;
  size_t value_count;
};
struct shardspec_cut {
  uint64_t struct_size;
  int64_t dim;
  const char *dim_name;
  const char *axis;
  int32_t rule;
  int32_t even;
  int64_t granule;
  int64_t repeat;
  int64_t block;
  int64_t first;
  const int64_t *values;
  size_t value_count;
  const shardspec_segment *segments;
  size_t segment_count;
};
struct shardspec_pad {
  uint64_t struct_size;
  int64_t dim;
  const char *dim_name;
  int64_t size;
  int64_t multiple;
};
struct shardspec_partial {
  uint64_t struct_size;
  const char *axis;
  int32_t reduction;
  int32_t reserved;
};
struct shardspec_mesh_layout {
  uint64_t struct_size;
  const shardspec_cut *cuts;
  size_t cut_count;
  const shardspec_pad *pads;
  size_t pad_count;
  const shardspec_partial *partials;
  size_t partial_count;
  int64_t flatten_first;
  size_t flatten_count;
};
struct shardspec_stretch {
  int64_t global_start;
  int64_t local_start;
  int64_t length;
  int64_t count;
  int64_t global_step;
  int64_t local_step;
};
struct shardspec_run {
  size_t source;
  size_t destination;
  int64_t source_offset;
  int64_t source_stride;
  int64_t destination_offset;
  int64_t destination_stride;
  int64_t block_length;
  int64_t block_count;
};
struct shardspec_merge_options {
  uint64_t struct_size;
  int64_t max_gap;
  double over_read;
  int64_t max_read;
};
struct shardspec_read {
  size_t source;
  int64_t offset;
  int64_t length;
  size_t first_run;
  size_t run_count;
};
struct shardspec_draw_options {
  uint64_t struct_size;
  int32_t format;
  int32_t theme;
  int32_t color;
  int32_t ascii;
  size_t width;
  const size_t *axes;
  size_t axis_count;
  const int64_t *window_offsets;
  const int64_t *window_sizes;
  size_t window_ndim;
};
struct shardspec_checkpoint_read_options {
  uint64_t struct_size;
  uint32_t max_threads;
  shardspec_status success_status;
  uint64_t max_gap;
  double over_read;
  uint64_t max_read;
  shardspec_progress_fn progress;
  void *progress_ctx;
};
struct shardspec_checkpoint_item {
  uint64_t struct_size;
  const char *name;
  const shardspec_sharded_tensor *tensor;
  const shardspec_metadata *metadata;
  const size_t *indices;
  const shardspec_tensor_view *shards;
  size_t shard_count;
};
struct shardspec_checkpoint_read_report {
  uint64_t struct_size;
  uint64_t read_count;
  uint64_t bytes_read;
  uint64_t bytes_needed;
};
struct shardspec_checkpoint_tensor {
  uint64_t struct_size;
  const char *name;
  const shardspec_metadata *metadata;
  const size_t *indices;
  const shardspec_tensor_view *shards;
  size_t shard_count;
};
struct shardspec_checkpoint_write_options {
  uint64_t struct_size;
  uint32_t files;
  uint32_t replace;
  uint64_t max_bytes;
};
struct shardspec_checkpoint_rule {
  uint64_t struct_size;
  const char *pattern;
  const shardspec_spec *spec;
};
struct shardspec_managed_tensor {
  uint32_t major;
  uint32_t minor;
  void *manager_ctx;
  shardspec_destroy_fn deleter;
  uint64_t flags;
  shardspec_tensor_view tensor;
};
struct shardspec_legacy_managed_tensor {
  shardspec_tensor_view tensor;
  void *manager_ctx;
  shardspec_destroy_fn deleter;
};
struct shardspec_message {
  int64_t peer;
  void *pointer;
  size_t byte_count;
};
struct shardspec_comm_vtable {
  uint64_t struct_size;
  shardspec_destroy_fn destroy;
  shardspec_exchange_fn exchange;
  shardspec_status success_status;
  int32_t reserved;
  shardspec_abort_fn abort;
  shardspec_node_fn node;
  shardspec_exchange_start_fn start;
  shardspec_exchange_test_fn test;
  shardspec_exchange_wait_fn wait;
};
struct shardspec_comm_options {
  uint64_t struct_size;
  uint64_t memory_limit;
  const shardspec_copy_options *copy;
};
struct shardspec_comm_tensor {
  uint64_t struct_size;
  const char *tag;
  const shardspec_metadata *source;
  const shardspec_metadata *destination;
  const shardspec_plan *plan;
  const shardspec_tensor_view *source_shards;
  size_t source_shard_count;
  const shardspec_tensor_view *destination_shards;
  size_t destination_shard_count;
  shardspec_dtype dtype;
  uint32_t reserved;
};
struct shardspec_runtime_ctx {
  uint64_t struct_size;
  shardspec_enter_fn enter;
  shardspec_destroy_fn destroy;
  void *ctx;
  shardspec_leave_fn leave;
};
struct shardspec_placement_vtable {
  uint64_t struct_size;
  shardspec_destroy_fn destroy;
  shardspec_equal_fn equal;
  shardspec_hash_fn hash;
};
struct shardspec_spec_vtable {
  uint64_t struct_size;
  shardspec_destroy_fn destroy;
  shardspec_build_metadata_fn build_metadata;
  shardspec_fill_shard_fn fill_shard;
  shardspec_equal_fn equal;
  shardspec_hash_fn hash;
  shardspec_status success_status;
  int32_t reserved;
};
struct shardspec_value {
  int32_t kind;
  int32_t reserved;
  int64_t integer;
  double real;
  void *pointer;
};
struct shardspec_op_arguments {
  uint64_t struct_size;
  const shardspec_value *args;
  size_t arg_count;
  const char *const *kwarg_names;
  const shardspec_value *kwargs;
  size_t kwarg_count;
  shardspec_comm *comm;
};
struct shardspec_op_options {
  uint64_t struct_size;
  uint32_t flags;
  shardspec_status success_status;
};
shardspec_status shardspec_spec_new_chunk(
    int64_t dim, const char *const *placements, size_t placement_count, shardspec_spec **out,
    shardspec_error *err);
shardspec_status shardspec_spec_new_chunk_by_dim_name(
    const char *dim_name, const char *const *placements, size_t placement_count,
    shardspec_spec **out, shardspec_error *err);
shardspec_status shardspec_spec_new_chunk_with_placement_handles(
    int64_t dim, const char *dim_name, const shardspec_placement *const *placements,
    size_t placement_count, shardspec_spec **out, shardspec_error *err);
shardspec_status shardspec_spec_new_enumerable(
    const shardspec_shards *shards, shardspec_spec **out, shardspec_error *err);
shardspec_status shardspec_spec_free(shardspec_spec *spec, shardspec_error *err);
shardspec_status shardspec_spec_type_name(
    const shardspec_spec *spec, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_spec_chunk_dim(
    const shardspec_spec *spec, int64_t *out, shardspec_error *err);
shardspec_status shardspec_spec_chunk_dim_name(
    const shardspec_spec *spec, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_spec_shard_count(
    const shardspec_spec *spec, size_t *out, shardspec_error *err);
shardspec_status shardspec_spec_placement(
    const shardspec_spec *spec, size_t index, shardspec_placement **out, shardspec_error *err);
shardspec_status shardspec_spec_equal(
    const shardspec_spec *a, const shardspec_spec *b, int32_t *out, shardspec_error *err);
shardspec_status shardspec_spec_hash(
    const shardspec_spec *spec, uint64_t *out, shardspec_error *err);
shardspec_status shardspec_spec_infer(
    const shardspec_shards *shards, shardspec_spec **out, shardspec_error *err);
shardspec_status shardspec_spec_infer_compat(
    const shardspec_shards *shards, shardspec_spec **out, shardspec_error *err);
shardspec_status shardspec_spec_build_metadata(
    const shardspec_spec *spec, const int64_t *sizes, size_t ndim,
    const shardspec_tensor_properties *properties, shardspec_metadata **out, shardspec_error *err);
shardspec_status shardspec_spec_build_metadata_with_dim_names(
    const shardspec_spec *spec, const int64_t *sizes, const char *const *dim_names, size_t ndim,
    const shardspec_tensor_properties *properties, shardspec_metadata **out, shardspec_error *err);
shardspec_status shardspec_metadata_blocks(
    const shardspec_metadata *metadata, const int64_t *block_sizes, size_t ndim,
    shardspec_metadata **out, shardspec_error *err);
shardspec_status shardspec_shards_new_from_metadata(
    const shardspec_metadata *metadata, shardspec_shards **out, shardspec_error *err);
shardspec_status shardspec_metadata_free(shardspec_metadata *metadata, shardspec_error *err);
shardspec_status shardspec_metadata_shard_count(
    const shardspec_metadata *metadata, size_t *out, shardspec_error *err);
shardspec_status shardspec_metadata_ndim(
    const shardspec_metadata *metadata, size_t *out, shardspec_error *err);
shardspec_status shardspec_metadata_buffer_ndim(
    const shardspec_metadata *metadata, size_t *out, shardspec_error *err);
shardspec_status shardspec_metadata_has_replicas(
    const shardspec_metadata *metadata, int32_t *out, shardspec_error *err);
shardspec_status shardspec_metadata_sizes(
    const shardspec_metadata *metadata, int64_t *sizes, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_metadata_numel(
    const shardspec_metadata *metadata, int64_t *out, shardspec_error *err);
shardspec_status shardspec_metadata_properties(
    const shardspec_metadata *metadata, shardspec_tensor_properties *out, shardspec_error *err);
shardspec_status shardspec_metadata_equal(
    const shardspec_metadata *a, const shardspec_metadata *b, int32_t *out, shardspec_error *err);
shardspec_status shardspec_metadata_fingerprint(
    const shardspec_metadata *metadata, uint64_t *out, shardspec_error *err);
shardspec_status shardspec_metadata_hash(
    const shardspec_metadata *metadata, uint64_t *out, shardspec_error *err);
shardspec_status shardspec_metadata_get_shard(
    const shardspec_metadata *metadata, size_t index, int64_t *offsets, int64_t *sizes,
    size_t capacity, shardspec_error *err);
shardspec_status shardspec_metadata_shard_placement(
    const shardspec_metadata *metadata, size_t index, shardspec_placement **out,
    shardspec_error *err);
shardspec_status shardspec_metadata_shard_placement_text(
    const shardspec_metadata *metadata, size_t index, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_metadata_get_shards(
    const shardspec_metadata *metadata, size_t first_shard, size_t shard_count, int64_t *offsets,
    int64_t *sizes, uint32_t *placement_indices, shardspec_error *err);
shardspec_status shardspec_metadata_placement_count(
    const shardspec_metadata *metadata, size_t *out, shardspec_error *err);
shardspec_status shardspec_metadata_placement_text(
    const shardspec_metadata *metadata, size_t placement_index, char *buffer, size_t capacity,
    size_t *needed, shardspec_error *err);
shardspec_status shardspec_metadata_placement(
    const shardspec_metadata *metadata, size_t placement_index, shardspec_placement **out,
    shardspec_error *err);
shardspec_status shardspec_dtype_parse(
    const char *text, shardspec_dtype *out, shardspec_error *err);
shardspec_status shardspec_dtype_text(
    const shardspec_dtype *dtype, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_dtype_itemsize(
    const shardspec_dtype *dtype, size_t *out, shardspec_error *err);
shardspec_status shardspec_dtype_bytes(
    const shardspec_dtype *dtype, int64_t element_count, size_t *out, shardspec_error *err);
shardspec_status shardspec_tensor_copy(
    const shardspec_tensor_view *source, const shardspec_tensor_view *destination,
    const shardspec_copy_options *options, shardspec_error *err);
shardspec_status shardspec_metadata_extract_shard(
    const shardspec_metadata *metadata, size_t index, const shardspec_tensor_view *full,
    const shardspec_tensor_view *shard, const shardspec_copy_options *options,
    shardspec_error *err);
shardspec_status shardspec_spec_fill_shard(
    const shardspec_spec *spec, const shardspec_metadata *metadata, size_t index,
    const shardspec_tensor_view *full, const shardspec_tensor_view *shard,
    const shardspec_copy_options *options, shardspec_error *err);
shardspec_status shardspec_metadata_view_shard(
    const shardspec_metadata *metadata, size_t index, const shardspec_tensor_view *full,
    int64_t *shape, int64_t *strides, size_t capacity, shardspec_tensor_view *out,
    shardspec_error *err);
shardspec_status shardspec_metadata_scatter(
    const shardspec_metadata *metadata, const shardspec_tensor_view *full,
    const shardspec_tensor_view *shards, size_t shard_count, const shardspec_copy_options *options,
    shardspec_error *err);
shardspec_status shardspec_metadata_gather(
    const shardspec_metadata *metadata, const shardspec_tensor_view *shards, size_t shard_count,
    const shardspec_tensor_view *full, const shardspec_copy_options *options, shardspec_error *err);
shardspec_status shardspec_sharded_tensor_new(
    const shardspec_metadata *metadata, const char *owner, int32_t fill,
    shardspec_sharded_tensor **out, shardspec_error *err);
shardspec_status shardspec_sharded_tensor_new_for_indices(
    const shardspec_metadata *metadata, const size_t *indices, size_t index_count, int32_t fill,
    shardspec_sharded_tensor **out, shardspec_error *err);
shardspec_status shardspec_sharded_tensor_new_from_spec(
    const shardspec_spec *spec, const shardspec_tensor_properties *properties, const char *owner,
    const shardspec_tensor_view *full, const shardspec_copy_options *options,
    shardspec_sharded_tensor **out, shardspec_error *err);
shardspec_status shardspec_sharded_tensor_new_from_full(
    const shardspec_metadata *metadata, const char *owner, const shardspec_tensor_view *full,
    const shardspec_copy_options *options, shardspec_sharded_tensor **out, shardspec_error *err);
shardspec_status shardspec_sharded_tensor_new_from_full_for_indices(
    const shardspec_metadata *metadata, const size_t *indices, size_t index_count,
    const shardspec_tensor_view *full, const shardspec_copy_options *options,
    shardspec_sharded_tensor **out, shardspec_error *err);
shardspec_status shardspec_sharded_tensor_new_from_local(
    const shardspec_metadata *metadata, const char *owner, const size_t *indices,
    const shardspec_tensor_view *shards, size_t shard_count, void *ctx,
    shardspec_destroy_fn release, shardspec_sharded_tensor **out, shardspec_error *err);
shardspec_status shardspec_sharded_tensor_new_from_local_shards(
    const shardspec_metadata *metadata, const char *owner, const shardspec_shards *descriptions,
    const shardspec_tensor_view *shards, size_t shard_count, void *ctx,
    shardspec_destroy_fn release, shardspec_sharded_tensor **out, shardspec_error *err);
shardspec_status shardspec_sharded_tensor_free(
    shardspec_sharded_tensor *tensor, shardspec_error *err);
shardspec_status shardspec_sharded_tensor_metadata(
    const shardspec_sharded_tensor *tensor, shardspec_metadata **out, shardspec_error *err);
shardspec_status shardspec_sharded_tensor_properties(
    const shardspec_sharded_tensor *tensor, shardspec_tensor_properties *out, shardspec_error *err);
shardspec_status shardspec_sharded_tensor_local_count(
    const shardspec_sharded_tensor *tensor, size_t *out, shardspec_error *err);
shardspec_status shardspec_sharded_tensor_local_index(
    const shardspec_sharded_tensor *tensor, size_t local, size_t *out, shardspec_error *err);
shardspec_status shardspec_sharded_tensor_local_view(
    const shardspec_sharded_tensor *tensor, size_t local, int64_t *shape, int64_t *strides,
    size_t capacity, shardspec_tensor_view *out, shardspec_error *err);
shardspec_status shardspec_sharded_tensor_gather(
    const shardspec_sharded_tensor *tensor, const shardspec_tensor_view *full,
    const shardspec_copy_options *options, shardspec_error *err);
shardspec_status shardspec_metadata_scatter_flat(
    const shardspec_metadata *metadata, const shardspec_dtype *dtype, const void *full,
    const int64_t *full_strides, void *shards, const uint64_t *byte_offsets, const int64_t *shapes,
    const int64_t *strides, size_t shard_count, const shardspec_copy_options *options,
    shardspec_error *err);
shardspec_status shardspec_metadata_gather_flat(
    const shardspec_metadata *metadata, const shardspec_dtype *dtype, const void *shards,
    const uint64_t *byte_offsets, const int64_t *shapes, const int64_t *strides, size_t shard_count,
    void *full, const int64_t *full_strides, const shardspec_copy_options *options,
    shardspec_error *err);
shardspec_status shardspec_metadata_extract_shard_flat(
    const shardspec_metadata *metadata, size_t index, const shardspec_dtype *dtype,
    const void *full, const int64_t *full_strides, void *shard, const int64_t *shape,
    const int64_t *strides, const shardspec_copy_options *options, shardspec_error *err);
shardspec_status shardspec_metadata_view_shard_flat(
    const shardspec_metadata *metadata, size_t index, const shardspec_dtype *dtype,
    const int64_t *full_strides, int64_t *byte_offset, int64_t *shape, int64_t *strides,
    size_t capacity, shardspec_error *err);
shardspec_status shardspec_sharded_tensor_local_views_flat(
    const shardspec_sharded_tensor *tensor, uint64_t *addresses, int64_t *shapes, int64_t *strides,
    size_t capacity, size_t *needed, shardspec_error *err);
shardspec_status shardspec_placement_parse(
    const char *text, shardspec_placement **out, shardspec_error *err);
shardspec_status shardspec_placement_free(shardspec_placement *placement, shardspec_error *err);
shardspec_status shardspec_placement_text(
    const shardspec_placement *placement, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_placement_type_name(
    const shardspec_placement *placement, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_placement_rank(
    const shardspec_placement *placement, int64_t *out, shardspec_error *err);
shardspec_status shardspec_placement_worker_name(
    const shardspec_placement *placement, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_placement_device_type(
    const shardspec_placement *placement, int32_t *out, shardspec_error *err);
shardspec_status shardspec_placement_device_index(
    const shardspec_placement *placement, int32_t *out, shardspec_error *err);
shardspec_status shardspec_placement_equal(
    const shardspec_placement *a, const shardspec_placement *b, int32_t *out, shardspec_error *err);
shardspec_status shardspec_placement_hash(
    const shardspec_placement *placement, uint64_t *out, shardspec_error *err);
shardspec_status shardspec_shards_new(
    const shardspec_shard_metadata *shards, size_t shard_count, shardspec_shards **out,
    shardspec_error *err);
shardspec_status shardspec_shards_new_from_arrays(
    const int64_t *offsets, const int64_t *sizes, const uint32_t *placement_indices, size_t ndim,
    size_t shard_count, const char *const *placements, size_t placement_count,
    shardspec_shards **out, shardspec_error *err);
shardspec_status shardspec_shards_new_from_arrays_with_placement_handles(
    const int64_t *offsets, const int64_t *sizes, const uint32_t *placement_indices, size_t ndim,
    size_t shard_count, const shardspec_placement *const *placements, size_t placement_count,
    shardspec_shards **out, shardspec_error *err);
shardspec_status shardspec_shards_free(shardspec_shards *shards, shardspec_error *err);
shardspec_status shardspec_shards_count(
    const shardspec_shards *shards, size_t *out, shardspec_error *err);
shardspec_status shardspec_shards_overlaps(
    const shardspec_shards *shards, size_t *first_shards, size_t *second_shards, int64_t *offsets,
    int64_t *sizes, size_t capacity, size_t *overlap_count, int32_t *more, shardspec_error *err);
shardspec_status shardspec_shards_gaps(
    const shardspec_shards *shards, const int64_t *tensor_sizes, size_t ndim, int64_t *offsets,
    int64_t *sizes, size_t capacity, size_t *gap_count, int32_t *more, shardspec_error *err);
shardspec_status shardspec_tensor_properties_init(
    shardspec_tensor_properties *out, shardspec_error *err);
shardspec_status shardspec_status_text(
    shardspec_status status, char *buffer, size_t capacity, size_t *needed, shardspec_error *err);
shardspec_status shardspec_error_init(shardspec_error *err, size_t size);
shardspec_status shardspec_error_set(
    shardspec_error *err, shardspec_status status, const char *text);
const char * shardspec_error_message(const shardspec_error *err);
shardspec_status shardspec_struct_size(const char *name, size_t *out, shardspec_error *err);
shardspec_status shardspec_struct_init(
    const char *name, void *out, size_t size, shardspec_error *err);
uint32_t shardspec_abi_version(void);
shardspec_status shardspec_version_text(
    char *buffer, size_t capacity, size_t *needed, shardspec_error *err);
shardspec_status shardspec_mesh_new(
    const char *const *axis_names, const int64_t *axis_sizes, size_t ndim,
    const char *const *placements, size_t placement_count, shardspec_mesh **out,
    shardspec_error *err);
shardspec_status shardspec_mesh_new_with_placement_handles(
    const char *const *axis_names, const int64_t *axis_sizes, size_t ndim,
    const shardspec_placement *const *placements, size_t placement_count, shardspec_mesh **out,
    shardspec_error *err);
shardspec_status shardspec_mesh_new_submesh(
    const shardspec_mesh *mesh, const char *axis, size_t coordinate, shardspec_mesh **out,
    shardspec_error *err);
shardspec_status shardspec_mesh_free(shardspec_mesh *mesh, shardspec_error *err);
shardspec_status shardspec_mesh_ndim(const shardspec_mesh *mesh, size_t *out, shardspec_error *err);
shardspec_status shardspec_mesh_device_count(
    const shardspec_mesh *mesh, size_t *out, shardspec_error *err);
shardspec_status shardspec_mesh_axis_name(
    const shardspec_mesh *mesh, size_t axis, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_mesh_get_axis_sizes(
    const shardspec_mesh *mesh, int64_t *sizes, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_mesh_placement(
    const shardspec_mesh *mesh, size_t device, shardspec_placement **out, shardspec_error *err);
shardspec_status shardspec_mesh_get_coordinates(
    const shardspec_mesh *mesh, size_t device, size_t *coordinates, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_mesh_text(
    const shardspec_mesh *mesh, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_mesh_equal(
    const shardspec_mesh *a, const shardspec_mesh *b, int32_t *out, shardspec_error *err);
shardspec_status shardspec_mesh_hash(
    const shardspec_mesh *mesh, uint64_t *out, shardspec_error *err);
shardspec_status shardspec_spec_new_mesh(
    const shardspec_mesh *mesh, const shardspec_mesh_layout *layout, shardspec_spec **out,
    shardspec_error *err);
shardspec_status shardspec_spec_new_cut(
    const shardspec_cut *cut, const char *const *placements, size_t placement_count,
    shardspec_spec **out, shardspec_error *err);
shardspec_status shardspec_cut_check(
    const shardspec_cut *cut, int64_t length, int64_t count, shardspec_error *err);
shardspec_status shardspec_cuts_check_degrees(
    const shardspec_cut *cuts, const int64_t *lengths, size_t cut_count, int64_t max_degree,
    int64_t *forbidding, shardspec_error *err);
shardspec_status shardspec_spec_mesh(
    const shardspec_spec *spec, shardspec_mesh **out, shardspec_error *err);
shardspec_status shardspec_spec_text(
    const shardspec_spec *spec, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_metadata_mesh(
    const shardspec_metadata *metadata, shardspec_mesh **out, shardspec_error *err);
shardspec_status shardspec_metadata_get_coordinates(
    const shardspec_metadata *metadata, size_t shard, size_t *coordinates, size_t capacity,
    size_t *needed, shardspec_error *err);
shardspec_status shardspec_metadata_dim_name(
    const shardspec_metadata *metadata, size_t dim, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_metadata_partial_count(
    const shardspec_metadata *metadata, size_t *out, shardspec_error *err);
shardspec_status shardspec_metadata_partial(
    const shardspec_metadata *metadata, size_t index, char *buffer, size_t capacity, size_t *needed,
    int32_t *reduction, shardspec_error *err);
shardspec_status shardspec_spec_parse(
    int32_t notation, const char *text, const shardspec_mesh *mesh, shardspec_spec **out,
    shardspec_error *err);
shardspec_status shardspec_spec_format(
    const shardspec_spec *spec, int32_t notation, size_t ndim, char *buffer, size_t capacity,
    size_t *needed, shardspec_error *err);
shardspec_status shardspec_spec_new_scalapack(
    const int64_t *descriptor, size_t entry_count, const shardspec_mesh *mesh, size_t device,
    shardspec_spec **out, shardspec_error *err);
shardspec_status shardspec_spec_get_scalapack(
    const shardspec_spec *spec, int64_t rows, int64_t columns, int64_t context, size_t device,
    int64_t *descriptor, size_t capacity, size_t *needed, shardspec_error *err);
shardspec_status shardspec_numroc(
    int64_t n, int64_t nb, int64_t iproc, int64_t isrcproc, int64_t nprocs, int64_t *out,
    shardspec_error *err);
shardspec_status shardspec_spec_to_json(
    const shardspec_spec *spec, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_spec_new_from_json(
    const char *text, size_t byte_count, shardspec_spec **out, shardspec_error *err);
shardspec_status shardspec_spec_to_bytes(
    const shardspec_spec *spec, uint8_t *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_spec_new_from_bytes(
    const uint8_t *bytes, size_t byte_count, shardspec_spec **out, shardspec_error *err);
shardspec_status shardspec_metadata_to_json(
    const shardspec_metadata *metadata, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_metadata_new_from_json(
    const char *text, size_t byte_count, shardspec_metadata **out, shardspec_error *err);
shardspec_status shardspec_metadata_to_bytes(
    const shardspec_metadata *metadata, uint8_t *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_metadata_new_from_bytes(
    const uint8_t *bytes, size_t byte_count, shardspec_metadata **out, shardspec_error *err);
shardspec_status shardspec_plan_to_json(
    const shardspec_plan *plan, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_chunk_split_size(
    int64_t dim_size, int64_t chunk_count, int64_t *out, shardspec_error *err);
shardspec_status shardspec_chunk_dim_size(
    int64_t dim_size, int64_t split_size, int64_t index, int64_t *out, shardspec_error *err);
shardspec_status shardspec_chunk_sharding_params(
    const shardspec_spec *spec, int64_t dim_size, int64_t world_size, int64_t rank, int64_t *offset,
    int64_t *size, shardspec_error *err);
shardspec_status shardspec_metadata_shards_in_box(
    const shardspec_metadata *metadata, const int64_t *offsets, const int64_t *sizes, size_t ndim,
    size_t *indices, size_t capacity, size_t *needed, shardspec_error *err);
shardspec_status shardspec_metadata_shard_at(
    const shardspec_metadata *metadata, const int64_t *element, size_t ndim, size_t *out,
    shardspec_error *err);
shardspec_status shardspec_metadata_replica(
    const shardspec_metadata *metadata, size_t shard, size_t *number, size_t *primary,
    shardspec_error *err);
shardspec_status shardspec_metadata_locate(
    const shardspec_metadata *metadata, const int64_t *elements, size_t element_count,
    size_t *shards, int64_t *local_indices, shardspec_error *err);
shardspec_status shardspec_metadata_globalize(
    const shardspec_metadata *metadata, const size_t *shards, const int64_t *local_indices,
    size_t element_count, int64_t *elements, shardspec_error *err);
shardspec_status shardspec_metadata_shards_of_rank(
    const shardspec_metadata *metadata, int64_t rank, size_t *indices, size_t capacity,
    size_t *needed, shardspec_error *err);
shardspec_status shardspec_metadata_shards_of_owner(
    const shardspec_metadata *metadata, const char *owner, size_t *indices, size_t capacity,
    size_t *needed, shardspec_error *err);
shardspec_status shardspec_shards_new_with_dim_maps(
    const shardspec_shards *shards, const shardspec_stretch *stretches, size_t stretch_count,
    const size_t *map_ends, size_t map_count, const uint32_t *map_numbers, shardspec_shards **out,
    shardspec_error *err);
shardspec_status shardspec_shards_new_flattened(
    const shardspec_shards *shards, const int64_t *sizes, size_t ndim, size_t first_dim,
    size_t dim_count, shardspec_shards **out, shardspec_error *err);
shardspec_status shardspec_metadata_new_from_shards(
    const shardspec_shards *shards, const int64_t *sizes, size_t ndim,
    const shardspec_tensor_properties *properties, int32_t replicas, shardspec_metadata **out,
    shardspec_error *err);
shardspec_status shardspec_shards_get_stretches(
    const shardspec_shards *shards, size_t shard, size_t dim, shardspec_stretch *stretches,
    size_t capacity, size_t *needed, shardspec_error *err);
shardspec_status shardspec_metadata_get_stretches(
    const shardspec_metadata *metadata, size_t shard, size_t dim, shardspec_stretch *stretches,
    size_t capacity, size_t *needed, shardspec_error *err);
shardspec_status shardspec_shards_get_dim_maps(
    const shardspec_shards *shards, shardspec_stretch *stretches, size_t stretch_capacity,
    size_t *map_ends, size_t map_capacity, uint32_t *map_numbers, size_t number_capacity,
    size_t *needed_stretches, size_t *needed_maps, shardspec_error *err);
shardspec_status shardspec_shards_are_boxes(
    const shardspec_shards *shards, int32_t *out, shardspec_error *err);
shardspec_status shardspec_metadata_is_box(
    const shardspec_metadata *metadata, size_t shard, int32_t *out, shardspec_error *err);
shardspec_status shardspec_metadata_get_flattening(
    const shardspec_metadata *metadata, size_t *first_dim, size_t *dim_count, shardspec_error *err);
shardspec_status shardspec_metadata_new_on_mesh(
    const shardspec_metadata *metadata, const shardspec_mesh *mesh,
    const shardspec_partial *partials, size_t partial_count, shardspec_metadata **out,
    shardspec_error *err);
shardspec_status shardspec_metadata_new_with_dim_names(
    const shardspec_metadata *metadata, const char *const *dim_names, size_t ndim,
    shardspec_metadata **out, shardspec_error *err);
shardspec_status shardspec_metadata_digest(
    const shardspec_metadata *metadata, const size_t *indices, const shardspec_tensor_view *shards,
    size_t shard_count, const shardspec_copy_options *options, uint64_t *out, shardspec_error *err);
shardspec_status shardspec_metadata_shard_digests(
    const shardspec_metadata *metadata, const size_t *indices, const shardspec_tensor_view *shards,
    size_t shard_count, const shardspec_copy_options *options, uint64_t *digests,
    shardspec_error *err);
shardspec_status shardspec_sharded_tensor_digest(
    const shardspec_sharded_tensor *tensor, const shardspec_copy_options *options, uint64_t *out,
    shardspec_error *err);
shardspec_status shardspec_plan_new(
    const shardspec_metadata *source, const shardspec_metadata *destination, shardspec_plan **out,
    shardspec_error *err);
shardspec_status shardspec_plan_new_for_destinations(
    const shardspec_metadata *source, const shardspec_metadata *destination,
    const size_t *destination_indices, size_t destination_index_count, shardspec_plan **out,
    shardspec_error *err);
shardspec_status shardspec_plan_new_from_shards(
    const shardspec_shards *source, const shardspec_shards *destination, shardspec_plan **out,
    shardspec_error *err);
shardspec_status shardspec_plan_free(shardspec_plan *plan, shardspec_error *err);
shardspec_status shardspec_plan_piece_count(
    const shardspec_plan *plan, size_t *out, shardspec_error *err);
shardspec_status shardspec_plan_ndim(const shardspec_plan *plan, size_t *out, shardspec_error *err);
shardspec_status shardspec_plan_pieces(
    const shardspec_plan *plan, size_t first_piece, size_t piece_count, size_t *sources,
    size_t *destinations, int64_t *source_offsets, int64_t *destination_offsets, int64_t *sizes,
    shardspec_error *err);
shardspec_status shardspec_plan_ndims(
    const shardspec_plan *plan, size_t *source, size_t *destination, size_t *piece,
    shardspec_error *err);
shardspec_status shardspec_plan_piece_steps(
    const shardspec_plan *plan, size_t first_piece, size_t piece_count, size_t *source_dims,
    size_t *destination_dims, int64_t *source_steps, int64_t *destination_steps,
    shardspec_error *err);
shardspec_status shardspec_plan_pieces_of_destination(
    const shardspec_plan *plan, size_t destination, size_t *first_piece, size_t *piece_count,
    shardspec_error *err);
shardspec_status shardspec_plan_is_local(
    const shardspec_plan *plan, int32_t *out, shardspec_error *err);
shardspec_status shardspec_plan_is_identity(
    const shardspec_plan *plan, int32_t *out, shardspec_error *err);
shardspec_status shardspec_plan_new_on_nodes(
    const shardspec_plan *plan, const int64_t *nodes, size_t node_count, shardspec_plan **out,
    shardspec_error *err);
shardspec_status shardspec_plan_execute(
    const shardspec_plan *plan, const size_t *source_indices, const shardspec_tensor_view *sources,
    size_t source_count, const size_t *destination_indices,
    const shardspec_tensor_view *destinations, size_t destination_count,
    const shardspec_copy_options *options, shardspec_error *err);
shardspec_status shardspec_plan_execute_sharded_tensors(
    const shardspec_plan *plan, const shardspec_sharded_tensor *source,
    const shardspec_sharded_tensor *destination, const shardspec_copy_options *options,
    shardspec_error *err);
shardspec_status shardspec_plan_fingerprints(
    const shardspec_plan *plan, uint64_t *source, uint64_t *destination, shardspec_error *err);
shardspec_status shardspec_plan_shard_traffic(
    const shardspec_plan *plan, int64_t itemsize, size_t *sources, size_t *destinations,
    int64_t *byte_counts, size_t capacity, size_t *needed, shardspec_error *err);
shardspec_status shardspec_plan_rank_traffic(
    const shardspec_plan *plan, int64_t itemsize, int64_t *source_ranks, int64_t *destination_ranks,
    int64_t *byte_counts, size_t capacity, size_t *needed, shardspec_error *err);
shardspec_status shardspec_plan_shard_runs(
    const shardspec_plan *plan, size_t source, size_t destination, int64_t itemsize,
    shardspec_run *runs, size_t capacity, size_t *needed, shardspec_error *err);
shardspec_status shardspec_plan_rank_runs(
    const shardspec_plan *plan, int64_t source_rank, int64_t destination_rank, int64_t itemsize,
    shardspec_run *runs, size_t capacity, size_t *needed, shardspec_error *err);
shardspec_status shardspec_plan_suggest_placements(
    const shardspec_plan *plan, uint32_t *placement_indices, size_t capacity, size_t *needed,
    int64_t *moved_before, int64_t *moved_after, shardspec_error *err);
shardspec_status shardspec_metadata_relabel(
    const shardspec_metadata *metadata, const uint32_t *placement_indices, size_t placement_count,
    shardspec_metadata **out, shardspec_error *err);
shardspec_status shardspec_plan_shard_reads(
    const shardspec_plan *plan, size_t source, size_t destination, int64_t itemsize,
    const shardspec_merge_options *options, shardspec_read *reads, size_t read_capacity,
    shardspec_run *runs, size_t run_capacity, size_t *needed_reads, size_t *needed_runs,
    shardspec_error *err);
shardspec_status shardspec_plan_rank_reads(
    const shardspec_plan *plan, int64_t source_rank, int64_t destination_rank, int64_t itemsize,
    const shardspec_merge_options *options, shardspec_read *reads, size_t read_capacity,
    shardspec_run *runs, size_t run_capacity, size_t *needed_reads, size_t *needed_runs,
    shardspec_error *err);
shardspec_status shardspec_metadata_draw(
    const shardspec_metadata *metadata, const shardspec_draw_options *options, char *buffer,
    size_t capacity, size_t *needed, shardspec_error *err);
shardspec_status shardspec_shards_draw(
    const shardspec_shards *shards, const int64_t *sizes, size_t ndim,
    const shardspec_draw_options *options, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_metadata_draw_diff(
    const shardspec_metadata *source, const shardspec_metadata *destination,
    const shardspec_draw_options *options, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);
shardspec_status shardspec_plan_draw(
    const shardspec_plan *plan, const shardspec_draw_options *options, char *buffer,
    size_t capacity, size_t *needed, shardspec_error *err);
shardspec_status shardspec_checkpoint_open(
    const char *path, shardspec_checkpoint **out, shardspec_error *err);
shardspec_status shardspec_checkpoint_free(shardspec_checkpoint *checkpoint, shardspec_error *err);
shardspec_status shardspec_checkpoint_tensor_count(
    const shardspec_checkpoint *checkpoint, size_t *out, shardspec_error *err);
shardspec_status shardspec_checkpoint_tensor_name(
    const shardspec_checkpoint *checkpoint, size_t tensor, char *buffer, size_t capacity,
    size_t *needed, shardspec_error *err);
shardspec_status shardspec_checkpoint_find_tensor(
    const shardspec_checkpoint *checkpoint, const char *name, size_t *out, shardspec_error *err);
shardspec_status shardspec_checkpoint_get_tensor(
    const shardspec_checkpoint *checkpoint, size_t tensor, shardspec_dtype *dtype, int64_t *sizes,
    size_t capacity, size_t *ndim, shardspec_error *err);
shardspec_status shardspec_checkpoint_tensor_chunks(
    const shardspec_checkpoint *checkpoint, size_t tensor, shardspec_shards **out,
    shardspec_error *err);
shardspec_status shardspec_checkpoint_tensor_metadata(
    const shardspec_checkpoint *checkpoint, size_t tensor, shardspec_metadata **out,
    shardspec_error *err);
shardspec_status shardspec_checkpoint_check(
    const shardspec_checkpoint *checkpoint, const shardspec_checkpoint_item *items,
    size_t item_count, shardspec_error *problems, size_t capacity, size_t *problem_count,
    shardspec_error *err);
shardspec_status shardspec_checkpoint_read(
    const shardspec_checkpoint *checkpoint, const shardspec_checkpoint_item *items,
    size_t item_count, const shardspec_checkpoint_read_options *options, int32_t *whole,
    shardspec_checkpoint_read_report *report, shardspec_error *err);
shardspec_status shardspec_checkpoint_choose_readers(
    const shardspec_metadata *const *metadatas, size_t metadata_count, uint32_t *readers,
    size_t capacity, size_t *needed, shardspec_error *err);
shardspec_status shardspec_checkpoint_read_collective(
    const shardspec_checkpoint *checkpoint, const shardspec_comm *comm,
    const shardspec_checkpoint_item *items, size_t item_count,
    const shardspec_checkpoint_read_options *options, const shardspec_comm_options *comm_options,
    int32_t *whole, shardspec_checkpoint_read_report *report, shardspec_error *err);
shardspec_status shardspec_checkpoint_write(
    const char *path, const shardspec_checkpoint_tensor *tensors, size_t tensor_count,
    const shardspec_checkpoint_write_options *options, shardspec_error *err);
shardspec_status shardspec_checkpoint_commit(
    const char *path, const shardspec_checkpoint_tensor *tensors, size_t tensor_count,
    const shardspec_checkpoint_write_options *options, shardspec_error *err);
shardspec_status shardspec_checkpoint_convert(
    const char *source_path, const char *path, const shardspec_checkpoint_rule *rules,
    size_t rule_count, const shardspec_checkpoint_write_options *options, shardspec_error *err);
shardspec_status shardspec_managed_tensor_new(
    const shardspec_tensor_view *view, uint64_t flags, void *ctx, shardspec_destroy_fn release,
    shardspec_managed_tensor **out, shardspec_error *err);
shardspec_status shardspec_legacy_managed_tensor_new(
    const shardspec_tensor_view *view, void *ctx, shardspec_destroy_fn release,
    shardspec_legacy_managed_tensor **out, shardspec_error *err);
shardspec_status shardspec_sharded_tensor_export_local(
    const shardspec_sharded_tensor *tensor, size_t local, shardspec_managed_tensor **out,
    shardspec_error *err);
shardspec_status shardspec_sharded_tensor_export_local_legacy(
    const shardspec_sharded_tensor *tensor, size_t local, shardspec_legacy_managed_tensor **out,
    shardspec_error *err);
shardspec_status shardspec_sharded_tensor_new_from_managed(
    const shardspec_metadata *metadata, const char *owner, const size_t *indices,
    shardspec_managed_tensor *const *shards, size_t shard_count, shardspec_sharded_tensor **out,
    shardspec_error *err);
shardspec_status shardspec_comm_new(
    const shardspec_comm_vtable *vtable, void *ctx, int64_t rank, int64_t size,
    shardspec_comm **out, shardspec_error *err);
shardspec_status shardspec_comm_new_local(
    size_t size, shardspec_comm **comms, shardspec_error *err);
shardspec_status shardspec_comm_new_local_on_nodes(
    const int64_t *nodes, size_t size, shardspec_comm **comms, shardspec_error *err);
shardspec_status shardspec_comm_free(shardspec_comm *comm, shardspec_error *err);
shardspec_status shardspec_comm_rank(
    const shardspec_comm *comm, int64_t *out, shardspec_error *err);
shardspec_status shardspec_comm_size(
    const shardspec_comm *comm, int64_t *out, shardspec_error *err);
shardspec_status shardspec_comm_exchange(
    const shardspec_comm *comm, const shardspec_message *sends, size_t send_count,
    const shardspec_message *receives, size_t receive_count, shardspec_error *err);
shardspec_status shardspec_comm_abort(
    const shardspec_comm *comm, const char *reason, shardspec_error *err);
shardspec_status shardspec_comm_new_group(
    const shardspec_comm *comm, const int64_t *members, const int64_t *placement_ranks,
    size_t member_count, shardspec_comm **out, shardspec_error *err);
shardspec_status shardspec_comm_placement_rank(
    const shardspec_comm *comm, int64_t rank, int64_t *out, shardspec_error *err);
shardspec_status shardspec_comm_node(
    const shardspec_comm *comm, int64_t rank, int64_t *out, shardspec_error *err);
shardspec_status shardspec_comm_scatter(
    const shardspec_comm *comm, const shardspec_metadata *metadata, int64_t source_rank,
    const shardspec_tensor_view *full, const shardspec_tensor_view *shards, size_t shard_count,
    const shardspec_comm_options *options, shardspec_error *err);
shardspec_status shardspec_comm_gather(
    const shardspec_comm *comm, const shardspec_metadata *metadata, int64_t destination_rank,
    const shardspec_tensor_view *shards, size_t shard_count, const shardspec_tensor_view *full,
    const shardspec_comm_options *options, shardspec_error *err);
shardspec_status shardspec_comm_reshard(
    const shardspec_comm *comm, const shardspec_metadata *source,
    const shardspec_tensor_view *source_shards, size_t source_shard_count,
    const shardspec_metadata *destination, const shardspec_tensor_view *destination_shards,
    size_t destination_shard_count, const shardspec_comm_options *options, shardspec_error *err);
shardspec_status shardspec_sharded_tensor_new_from_rank(
    const shardspec_comm *comm, const shardspec_metadata *metadata, int64_t source_rank,
    const shardspec_tensor_view *full, const shardspec_comm_options *options,
    shardspec_sharded_tensor **out, shardspec_error *err);
shardspec_status shardspec_sharded_tensor_comm(
    const shardspec_sharded_tensor *tensor, shardspec_comm **out, shardspec_error *err);
shardspec_status shardspec_comm_decline(
    const shardspec_comm *comm, shardspec_status status, const char *message, shardspec_error *err);
shardspec_status shardspec_comm_transfer(
    const shardspec_comm *comm, const shardspec_comm_tensor *tensors, size_t tensor_count,
    const shardspec_comm_options *options, shardspec_error *err);
shardspec_status shardspec_transfer_prepare(
    const shardspec_comm *comm, const shardspec_comm_tensor *tensors, size_t tensor_count,
    const shardspec_comm_options *options, shardspec_transfer **out, shardspec_error *err);
shardspec_status shardspec_transfer_run(
    const shardspec_transfer *transfer, const shardspec_comm *comm,
    const shardspec_comm_tensor *tensors, size_t tensor_count, shardspec_error *err);
shardspec_status shardspec_transfer_fingerprint(
    const shardspec_transfer *transfer, uint64_t *out, shardspec_error *err);
shardspec_status shardspec_transfer_free(shardspec_transfer *transfer, shardspec_error *err);
shardspec_status shardspec_request_test(
    const shardspec_request *request, int32_t *done, shardspec_error *err);
shardspec_status shardspec_request_wait(const shardspec_request *request, shardspec_error *err);
shardspec_status shardspec_request_free(shardspec_request *request, shardspec_error *err);
shardspec_status shardspec_comm_exchange_start(
    const shardspec_comm *comm, const shardspec_message *sends, size_t send_count,
    const shardspec_message *receives, size_t receive_count, shardspec_request **out,
    shardspec_error *err);
shardspec_status shardspec_comm_transfer_start(
    const shardspec_comm *comm, const shardspec_comm_tensor *tensors, size_t tensor_count,
    const shardspec_comm_options *options, shardspec_request **out, shardspec_error *err);
shardspec_status shardspec_comm_scatter_start(
    const shardspec_comm *comm, const shardspec_metadata *metadata, int64_t source_rank,
    const shardspec_tensor_view *full, const shardspec_tensor_view *shards, size_t shard_count,
    const shardspec_comm_options *options, shardspec_request **out, shardspec_error *err);
shardspec_status shardspec_comm_gather_start(
    const shardspec_comm *comm, const shardspec_metadata *metadata, int64_t destination_rank,
    const shardspec_tensor_view *shards, size_t shard_count, const shardspec_tensor_view *full,
    const shardspec_comm_options *options, shardspec_request **out, shardspec_error *err);
shardspec_status shardspec_comm_reshard_start(
    const shardspec_comm *comm, const shardspec_metadata *source,
    const shardspec_tensor_view *source_shards, size_t source_shard_count,
    const shardspec_metadata *destination, const shardspec_tensor_view *destination_shards,
    size_t destination_shard_count, const shardspec_comm_options *options, shardspec_request **out,
    shardspec_error *err);
shardspec_status shardspec_transfer_prepare_start(
    const shardspec_comm *comm, const shardspec_comm_tensor *tensors, size_t tensor_count,
    const shardspec_comm_options *options, shardspec_transfer **transfer, shardspec_request **out,
    shardspec_error *err);
shardspec_status shardspec_transfer_start(
    const shardspec_transfer *transfer, const shardspec_comm *comm,
    const shardspec_comm_tensor *tensors, size_t tensor_count, shardspec_request **out,
    shardspec_error *err);
shardspec_status shardspec_comm_decline_start(
    const shardspec_comm *comm, shardspec_status status, const char *message,
    shardspec_request **out, shardspec_error *err);
void shardspec_runtime_ctx_destroy(void *ctx);
shardspec_status shardspec_placement_new_custom(
    const char *type_name, const char *text, int64_t rank, const shardspec_placement_vtable *vtable,
    void *ctx, shardspec_placement **out, shardspec_error *err);
shardspec_status shardspec_placement_custom_ctx(
    const shardspec_placement *placement, const char *type_name, void **out, shardspec_error *err);
shardspec_status shardspec_metadata_builder_add_shard(
    shardspec_metadata_builder *builder, const int64_t *offsets, const int64_t *sizes, size_t ndim,
    const char *placement, shardspec_error *err);
shardspec_status shardspec_metadata_builder_add_shard_with_placement_handle(
    shardspec_metadata_builder *builder, const int64_t *offsets, const int64_t *sizes, size_t ndim,
    const shardspec_placement *placement, shardspec_error *err);
shardspec_status shardspec_metadata_builder_add_shards(
    shardspec_metadata_builder *builder, const shardspec_shards *shards, shardspec_error *err);
shardspec_status shardspec_spec_new_custom(
    const char *type_name, const shardspec_spec_vtable *vtable, void *ctx, shardspec_spec **out,
    shardspec_error *err);
shardspec_status shardspec_spec_custom_ctx(
    const shardspec_spec *spec, const char *type_name, void **out, shardspec_error *err);
shardspec_status shardspec_op_register(
    const char *spec_type, const char *op_name, shardspec_op_fn function, void *ctx,
    shardspec_destroy_fn destroy, const shardspec_op_options *options, shardspec_op **out,
    shardspec_error *err);
shardspec_status shardspec_op_unregister(shardspec_op *op, shardspec_error *err);
shardspec_status shardspec_op_is_registered(
    const char *spec_type, const char *op_name, int32_t *out, shardspec_error *err);
shardspec_status shardspec_op_look_up(
    const char *spec_type, const char *op_name, shardspec_op **out, shardspec_error *err);
shardspec_status shardspec_op_list(
    char *buffer, size_t capacity, size_t *needed, shardspec_error *err);
shardspec_status shardspec_op_dispatch(
    const shardspec_spec *spec, const char *op_name, const shardspec_op_arguments *arguments,
    shardspec_value *results, size_t result_count, shardspec_error *err);
shardspec_status shardspec_op_call(
    const shardspec_op *op, const shardspec_spec *spec, const shardspec_op_arguments *arguments,
    shardspec_value *results, size_t result_count, shardspec_error *err);
