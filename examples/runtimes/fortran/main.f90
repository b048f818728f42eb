! Shards a tensor, registers an op that fails, and runs a collective.
!
!   gfortran -fopenmp shardspec.f90 main.f90 -o example $(pkg-config --libs shardspec)
module ops
  use shardspec
  implicit none
contains
  ! Fortran has no exceptions. `error stop` would end the process, so a callback returns a status.
  integer(c_int32_t) function op_that_fails(ctx, spec, arguments, results, result_count, err) bind(c)
    type(c_ptr), value :: ctx, spec, results
    type(shardspec_op_arguments), intent(in) :: arguments
    integer(c_size_t), value :: result_count
    type(shardspec_error), intent(inout) :: err
    op_that_fails = shardspec_error_set(err, SHARDSPEC_USER_STATUS, "on purpose" // c_null_char)
  end function
end module

program example
  use shardspec
  use ops
  implicit none
  integer, parameter :: ranks = 4, rows = 5, columns = 3
  type :: shard_memory
    real(c_float), allocatable :: data(:, :)
    integer(c_int64_t) :: shape(2), offsets(2)
  end type
  ! A row of the tensor is a column of this array.
  real(c_float), target :: full(columns, rows)
  integer(c_int64_t), target :: sizes(2) = [rows, columns]
  type(c_ptr) :: spec, metadata
  type(shardspec_error) :: err
  integer :: i

  full = reshape([(real(i, c_float), i = 1, rows * columns)], shape(full))
  call cut_into_chunks_of_rows()
  call scatter_and_gather()
  call call_op()
  call collective()
  call check(shardspec_metadata_free(metadata, err), err)
  call check(shardspec_spec_free(spec, err), err)

contains

  subroutine cut_into_chunks_of_rows()
    character(kind=c_char, len=8), target :: texts(ranks)
    type(c_ptr) :: placements(ranks)
    do i = 1, ranks
      write (texts(i), "(a, i0, a)") "rank:", i - 1, c_null_char
      placements(i) = c_loc(texts(i))
    end do
    call check(shardspec_spec_new_chunk(0_c_int64_t, placements, int(ranks, c_size_t), spec, err), err)
    call check(shardspec_spec_build_metadata(spec, sizes, 2_c_size_t, shardspec_tensor_properties(), &
                                             metadata, err), err)
  end subroutine

  ! Memory for the shard of a rank.
  subroutine allocate_shard(rank, shard)
    integer, intent(in) :: rank
    type(shard_memory), intent(out) :: shard
    type(shardspec_error) :: err
    call check(shardspec_metadata_get_shard(metadata, int(rank, c_size_t), shard%offsets, shard%shape, &
                                            2_c_size_t, err), err)
    allocate (shard%data(shard%shape(2), shard%shape(1)))
  end subroutine

  subroutine scatter_and_gather()
    type(shard_memory), target :: shards(ranks)
    type(shardspec_tensor_view) :: views(ranks)
    real(c_float), target :: back(columns, rows)
    do i = 1, ranks
      call allocate_shard(i - 1, shards(i))
      views(i) = view_of(shards(i)%data, shards(i)%shape)
      print "(a, i0, a, i0, a, i0)", "rank:", i - 1, " owns ", shards(i)%shape(1), " rows from row ", &
        shards(i)%offsets(1)
    end do
    call check(shardspec_metadata_scatter(metadata, view_of(full, sizes), views, int(ranks, c_size_t), &
                                          c_null_ptr, err), err)
    call check(shardspec_metadata_gather(metadata, views, int(ranks, c_size_t), view_of(back, sizes), &
                                         c_null_ptr, err), err)
    call report("scattered and gathered: equal", all(back == full))
  end subroutine

  subroutine call_op()
    character(kind=c_char, len=*), parameter :: name = "acme.fails" // c_null_char
    type(c_ptr) :: op, tensor
    type(shardspec_value), target :: argument
    type(shardspec_op_arguments) :: arguments
    integer(c_int32_t) :: status
    call check(shardspec_op_register("chunk" // c_null_char, name, c_funloc(op_that_fails), c_null_ptr, &
      c_null_funptr, shardspec_op_options(success_status=SHARDSPEC_CALLBACK_OK), op, err), err)
    call check(shardspec_sharded_tensor_new(metadata, c_null_ptr, SHARDSPEC_FILL_ZERO, tensor, err), err)
    argument%kind = SHARDSPEC_VALUE_SHARDED_TENSOR
    argument%pointer = tensor
    arguments%args = c_loc(argument)
    arguments%arg_count = 1
    status = shardspec_op_dispatch(spec, name, arguments, c_null_ptr, 0_c_size_t, err)
    print "(a, i0, 2a)", "an op that throws: status ", status, ", ", message(err)
    call check(shardspec_op_unregister(op, err), err)
    call check(shardspec_sharded_tensor_free(tensor, err), err)
  end subroutine

  ! Scatters from rank 0 and gathers to all ranks. Ranks wait for each other: each needs its thread.
  subroutine collective()
    type(c_ptr) :: comms(ranks)
    logical :: equal(ranks)
    call check(shardspec_comm_new_local(int(ranks, c_size_t), comms, err), err)
    !$omp parallel do num_threads(ranks) schedule(static, 1)
    do i = 1, ranks
      equal(i) = run_rank(comms(i), i - 1)
    end do
    call report("a collective: every rank has the whole tensor", all(equal))
  end subroutine

  logical function run_rank(comm, rank)
    type(c_ptr), intent(in) :: comm
    integer, intent(in) :: rank
    type(shard_memory), target :: shard
    type(shardspec_tensor_view) :: views(1)
    type(shardspec_error) :: err
    real(c_float), target :: back(columns, rows)
    call allocate_shard(rank, shard)
    views(1) = view_of(shard%data, shard%shape)
    call check(shardspec_comm_scatter(comm, metadata, 0_c_int64_t, view_of(full, sizes), views, &
                                      1_c_size_t, c_null_ptr, err), err)
    call check(shardspec_comm_gather(comm, metadata, SHARDSPEC_ALL_RANKS, views, 1_c_size_t, &
                                     view_of(back, sizes), c_null_ptr, err), err)
    call check(shardspec_comm_free(comm, err), err)
    run_rank = all(back == full)
  end function

  subroutine report(sentence, holds)
    character(*), intent(in) :: sentence
    logical, intent(in) :: holds
    if (.not. holds) error stop "not true: " // sentence
    print "(a)", sentence
  end subroutine
end program
