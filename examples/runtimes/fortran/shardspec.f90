! The part of shardspec that main.f90 uses. A handle is a type(c_ptr).
module shardspec
  use, intrinsic :: iso_c_binding
  implicit none

  integer(c_int32_t), parameter :: SHARDSPEC_OK = 0, SHARDSPEC_CALLBACK_OK = 999
  integer(c_int32_t), parameter :: SHARDSPEC_USER_STATUS = 1000
  integer(c_int32_t), parameter :: SHARDSPEC_FILL_ZERO = 1, SHARDSPEC_VALUE_SHARDED_TENSOR = 6
  integer(c_int64_t), parameter :: SHARDSPEC_ALL_RANKS = -1

  type, bind(c) :: shardspec_error
    integer(c_int64_t) :: struct_size = 1024
    integer(c_int32_t) :: status = 0, dim = -1
    integer(c_int64_t) :: first_shard = -1, second_shard = -1, got = 0, limit = 0, index = -1
    character(kind=c_char) :: message(968) = c_null_char
  end type

  type, bind(c) :: shardspec_dtype
    integer(c_int8_t) :: code = 2, bits = 32 ! float32
    integer(c_int16_t) :: lanes = 1
  end type

  type, bind(c) :: shardspec_tensor_view
    type(c_ptr) :: data = c_null_ptr
    integer(c_int32_t) :: device_type = 1, device_id = 0 ! host memory
    integer(c_int32_t) :: ndim = 2
    type(shardspec_dtype) :: dtype
    type(c_ptr) :: shape = c_null_ptr, strides = c_null_ptr
    integer(c_int64_t) :: byte_offset = 0
  end type

  type, bind(c) :: shardspec_tensor_properties
    integer(c_int64_t) :: struct_size = 32
    type(shardspec_dtype) :: dtype
    integer(c_int32_t) :: layout = 0, memory_format = 0, requires_grad = 0, pin_memory = 0, reserved = 0
  end type

  type, bind(c) :: shardspec_value
    integer(c_int32_t) :: kind = 0, reserved = 0
    integer(c_int64_t) :: integer = 0
    real(c_double) :: real = 0
    type(c_ptr) :: pointer = c_null_ptr
  end type

  type, bind(c) :: shardspec_op_arguments
    integer(c_int64_t) :: struct_size = 56
    type(c_ptr) :: args = c_null_ptr
    integer(c_size_t) :: arg_count = 0
    type(c_ptr) :: kwarg_names = c_null_ptr, kwargs = c_null_ptr
    integer(c_size_t) :: kwarg_count = 0
    type(c_ptr) :: comm = c_null_ptr
  end type

  type, bind(c) :: shardspec_op_options
    integer(c_int64_t) :: struct_size = 16
    integer(c_int32_t) :: flags = 0, success_status = SHARDSPEC_OK
  end type

  interface
    integer(c_int32_t) function shardspec_error_set(err, status, text) bind(c)
      import
      type(shardspec_error), intent(inout) :: err
      integer(c_int32_t), value :: status
      character(kind=c_char), intent(in) :: text(*)
    end function
    integer(c_int32_t) function shardspec_spec_new_chunk(dim, placements, placement_count, out, err) bind(c)
      import
      integer(c_int64_t), value :: dim
      type(c_ptr), intent(in) :: placements(*)
      integer(c_size_t), value :: placement_count
      type(c_ptr), intent(out) :: out
      type(shardspec_error), intent(inout) :: err
    end function
    integer(c_int32_t) function shardspec_spec_build_metadata(spec, sizes, ndim, properties, out, err) bind(c)
      import
      type(c_ptr), value :: spec
      integer(c_int64_t), intent(in) :: sizes(*)
      integer(c_size_t), value :: ndim
      type(shardspec_tensor_properties), intent(in) :: properties
      type(c_ptr), intent(out) :: out
      type(shardspec_error), intent(inout) :: err
    end function
    integer(c_int32_t) function shardspec_spec_free(spec, err) bind(c)
      import
      type(c_ptr), value :: spec
      type(shardspec_error), intent(inout) :: err
    end function
    integer(c_int32_t) function shardspec_metadata_get_shard(metadata, shard, offsets, sizes, capacity, err) bind(c)
      import
      type(c_ptr), value :: metadata
      integer(c_size_t), value :: shard, capacity
      integer(c_int64_t), intent(out) :: offsets(*), sizes(*)
      type(shardspec_error), intent(inout) :: err
    end function
    integer(c_int32_t) function shardspec_metadata_scatter(metadata, full, shards, shard_count, options, err) bind(c)
      import
      type(c_ptr), value :: metadata, options
      type(shardspec_tensor_view), intent(in) :: full, shards(*)
      integer(c_size_t), value :: shard_count
      type(shardspec_error), intent(inout) :: err
    end function
    integer(c_int32_t) function shardspec_metadata_gather(metadata, shards, shard_count, full, options, err) bind(c)
      import
      type(c_ptr), value :: metadata, options
      type(shardspec_tensor_view), intent(in) :: shards(*), full
      integer(c_size_t), value :: shard_count
      type(shardspec_error), intent(inout) :: err
    end function
    integer(c_int32_t) function shardspec_metadata_free(metadata, err) bind(c)
      import
      type(c_ptr), value :: metadata
      type(shardspec_error), intent(inout) :: err
    end function
    integer(c_int32_t) function shardspec_sharded_tensor_new(metadata, owner, fill, out, err) bind(c)
      import
      type(c_ptr), value :: metadata, owner
      integer(c_int32_t), value :: fill
      type(c_ptr), intent(out) :: out
      type(shardspec_error), intent(inout) :: err
    end function
    integer(c_int32_t) function shardspec_sharded_tensor_free(tensor, err) bind(c)
      import
      type(c_ptr), value :: tensor
      type(shardspec_error), intent(inout) :: err
    end function
    integer(c_int32_t) function shardspec_op_register(spec_type, op_name, function, ctx, destroy, options, out, &
        err) bind(c)
      import
      character(kind=c_char), intent(in) :: spec_type(*), op_name(*)
      type(c_funptr), value :: function, destroy
      type(c_ptr), value :: ctx
      type(shardspec_op_options), intent(in) :: options
      type(c_ptr), intent(out) :: out
      type(shardspec_error), intent(inout) :: err
    end function
    integer(c_int32_t) function shardspec_op_dispatch(spec, op_name, arguments, results, result_count, err) bind(c)
      import
      type(c_ptr), value :: spec, results
      character(kind=c_char), intent(in) :: op_name(*)
      type(shardspec_op_arguments), intent(in) :: arguments
      integer(c_size_t), value :: result_count
      type(shardspec_error), intent(inout) :: err
    end function
    integer(c_int32_t) function shardspec_op_unregister(op, err) bind(c)
      import
      type(c_ptr), value :: op
      type(shardspec_error), intent(inout) :: err
    end function
    integer(c_int32_t) function shardspec_comm_new_local(size, out, err) bind(c)
      import
      integer(c_size_t), value :: size
      type(c_ptr), intent(out) :: out(*)
      type(shardspec_error), intent(inout) :: err
    end function
    integer(c_int32_t) function shardspec_comm_scatter(comm, metadata, source_rank, full, shards, shard_count, &
        options, err) bind(c)
      import
      type(c_ptr), value :: comm, metadata, options
      integer(c_int64_t), value :: source_rank
      type(shardspec_tensor_view), intent(in) :: full, shards(*)
      integer(c_size_t), value :: shard_count
      type(shardspec_error), intent(inout) :: err
    end function
    integer(c_int32_t) function shardspec_comm_gather(comm, metadata, destination_rank, shards, shard_count, &
        full, options, err) bind(c)
      import
      type(c_ptr), value :: comm, metadata, options
      integer(c_int64_t), value :: destination_rank
      type(shardspec_tensor_view), intent(in) :: shards(*), full
      integer(c_size_t), value :: shard_count
      type(shardspec_error), intent(inout) :: err
    end function
    integer(c_int32_t) function shardspec_comm_free(comm, err) bind(c)
      import
      type(c_ptr), value :: comm
      type(shardspec_error), intent(inout) :: err
    end function
  end interface

contains

  ! Stops the program with the library's message where a call was refused.
  subroutine check(status, err)
    integer(c_int32_t), intent(in) :: status
    type(shardspec_error), intent(in) :: err
    if (status /= SHARDSPEC_OK) then
      print "(a)", message(err)
      error stop 1
    end if
  end subroutine

  function message(err) result(text)
    type(shardspec_error), intent(in) :: err
    character(:), allocatable :: text
    integer :: i
    text = ""
    do i = 1, size(err%message)
      if (err%message(i) == c_null_char) exit
      text = text // err%message(i)
    end do
  end function

  ! The library is row-major: the tensor's first dimension is the last of a Fortran array. `shape` is
  ! the tensor's; the view has the addresses of both arguments.
  function view_of(data, shape) result(view)
    real(c_float), target, intent(in) :: data(:, :)
    integer(c_int64_t), target, intent(in) :: shape(:)
    type(shardspec_tensor_view) :: view
    view%data = c_loc(data)
    view%shape = c_loc(shape)
  end function
end module
