// Shards a tensor, registers an op that panics, and runs a collective.
//
//	go run .    (pkg-config finds shardspec; the loader finds libshardspec.so.0)
package main

/*
#include <shardspec.h>
#include <stdlib.h>

// cgo's declaration of an exported function has no const.
shardspec_status opThatPanics(void *, shardspec_spec *, shardspec_op_arguments *, shardspec_value *,
                              size_t, shardspec_error *);
*/
import "C"

import (
	"fmt"
	"log"
	"runtime"
	"slices"
	"sync"
	"unsafe"
)

const ranks, rows, columns = 4, 5, 3

// chunksOfRows cuts a tensor of 5 x 3 floats into a chunk of rows for each rank.
func chunksOfRows() (spec *C.shardspec_spec, metadata *C.shardspec_metadata) {
	err := newError()
	placements := make([]*C.char, ranks)
	for rank := range placements {
		placements[rank] = C.CString(fmt.Sprintf("rank:%d", rank))
		defer C.free(unsafe.Pointer(placements[rank]))
	}
	check(C.shardspec_spec_new_chunk(0, &placements[0], ranks, &spec, &err), &err)
	properties := C.shardspec_tensor_properties{struct_size: C.sizeof_shardspec_tensor_properties}
	check(C.shardspec_tensor_properties_init(&properties, &err), &err)
	sizes := []C.int64_t{rows, columns}
	check(C.shardspec_spec_build_metadata(spec, &sizes[0], 2, &properties, &metadata, &err), &err)
	return spec, metadata
}

// scatterAndGather uses the functions for flat arrays: cgo passes slices, and nothing to pin is left.
func scatterAndGather(metadata *C.shardspec_metadata, full []float32) {
	err := newError()
	var offsets, shapes [ranks * 2]C.int64_t
	check(C.shardspec_metadata_get_shards(metadata, 0, ranks, &offsets[0], &shapes[0], nil, &err), &err)
	var starts [ranks + 1]C.uint64_t // of each shard in the buffer of all shards, in bytes
	for i := 0; i < ranks; i++ {
		fmt.Printf("rank:%d owns %d rows from row %d\n", i, shapes[2*i], offsets[2*i])
		starts[i+1] = starts[i] + C.uint64_t(4*shapes[2*i]*shapes[2*i+1])
	}
	shards, back := make([]float32, len(full)), make([]float32, len(full))
	check(C.shardspec_metadata_scatter_flat(metadata, nil, unsafe.Pointer(&full[0]), nil,
		unsafe.Pointer(&shards[0]), &starts[0], &shapes[0], nil, ranks, nil, &err), &err)
	check(C.shardspec_metadata_gather_flat(metadata, nil, unsafe.Pointer(&shards[0]), &starts[0],
		&shapes[0], nil, ranks, unsafe.Pointer(&back[0]), nil, nil, &err), &err)
	report("scattered and gathered: equal", slices.Equal(full, back))
}

//export opThatPanics
func opThatPanics(ctx unsafe.Pointer, spec *C.shardspec_spec, arguments *C.shardspec_op_arguments,
	results *C.shardspec_value, count C.size_t, err *C.shardspec_error) (status C.shardspec_status) {
	defer guard(&status, err)
	panic("on purpose")
}

func callOp(spec *C.shardspec_spec, metadata *C.shardspec_metadata) {
	err := newError()
	var tensor *C.shardspec_sharded_tensor
	var op *C.shardspec_op
	name, specType := C.CString("acme.panics"), C.CString("chunk")
	defer C.free(unsafe.Pointer(name))
	defer C.free(unsafe.Pointer(specType))
	options := C.shardspec_op_options{
		struct_size: C.sizeof_shardspec_op_options, success_status: C.SHARDSPEC_CALLBACK_OK}
	check(C.shardspec_op_register(specType, name, (*[0]byte)(C.opThatPanics), nil, nil, &options, &op, &err), &err)
	check(C.shardspec_sharded_tensor_new(metadata, nil, C.SHARDSPEC_FILL_ZERO, &tensor, &err), &err)
	var pinner runtime.Pinner
	defer pinner.Unpin()
	argument := C.shardspec_value{kind: C.SHARDSPEC_VALUE_SHARDED_TENSOR, pointer: unsafe.Pointer(tensor)}
	arguments := C.shardspec_op_arguments{
		struct_size: C.sizeof_shardspec_op_arguments, args: &argument, arg_count: 1}
	pinner.Pin(&argument)
	status := C.shardspec_op_dispatch(spec, name, &arguments, nil, 0, &err)
	fmt.Printf("an op that throws: status %d, %s\n", status, C.GoString(&err.message[0]))
	check(C.shardspec_op_unregister(op, &err), &err)
	check(C.shardspec_sharded_tensor_free(tensor, &err), &err)
}

// collective scatters from rank 0 and gathers to all ranks. A rank is a goroutine here: a call that
// waits for other ranks keeps a thread of the system, which the Go runtime replaces.
func collective(metadata *C.shardspec_metadata, full []float32) {
	err := newError()
	comms := make([]*C.shardspec_comm, ranks)
	check(C.shardspec_comm_new_local(ranks, &comms[0], &err), &err)
	equal := make([]bool, ranks)
	var group sync.WaitGroup
	for rank := range comms {
		group.Add(1)
		go func(rank int) {
			defer group.Done()
			equal[rank] = runRank(comms[rank], metadata, rank, full)
		}(rank)
	}
	group.Wait()
	report("a collective: every rank has the whole tensor", !slices.Contains(equal, false))
}

func runRank(comm *C.shardspec_comm, metadata *C.shardspec_metadata, rank int, full []float32) bool {
	err := newError()
	var pinner runtime.Pinner
	defer pinner.Unpin()
	shape, sizes := make([]C.int64_t, 2), []C.int64_t{rows, columns}
	check(C.shardspec_metadata_get_shard(metadata, C.size_t(rank), nil, &shape[0], 2, &err), &err)
	back := make([]float32, len(full))
	shard := view(&pinner, make([]float32, shape[0]*shape[1], rows*columns), shape)
	source, destination := view(&pinner, full, sizes), view(&pinner, back, sizes)
	check(C.shardspec_comm_scatter(comm, metadata, 0, &source, &shard, 1, nil, &err), &err)
	check(C.shardspec_comm_gather(comm, metadata, C.SHARDSPEC_ALL_RANKS, &shard, 1, &destination, nil, &err), &err)
	check(C.shardspec_comm_free(comm, &err), &err)
	return slices.Equal(full, back)
}

func report(sentence string, holds bool) {
	if !holds {
		log.Fatal("not true: ", sentence)
	}
	fmt.Println(sentence)
}

func main() {
	full := make([]float32, rows*columns)
	for i := range full {
		full[i] = float32(i)
	}
	spec, metadata := chunksOfRows()
	scatterAndGather(metadata, full)
	callOp(spec, metadata)
	collective(metadata, full)
	err := newError()
	check(C.shardspec_metadata_free(metadata, &err), &err)
	check(C.shardspec_spec_free(spec, &err), &err)
}
