// What main.go uses to call shardspec: refusals, views of slices, and a guard for callbacks.
package main

/*
#cgo pkg-config: shardspec
#include <shardspec.h>
#include <stdlib.h>
*/
import "C"

import (
	"fmt"
	"log"
	"runtime"
	"unsafe"
)

// newError is an error before its first call.
func newError() C.shardspec_error {
	return C.shardspec_error{struct_size: C.sizeof_shardspec_error}
}

// check ends the program with the library's message when a call was refused.
func check(status C.shardspec_status, err *C.shardspec_error) {
	if status != C.SHARDSPEC_OK {
		log.Fatal(C.GoString(&err.message[0]))
	}
}

// view describes a Go slice. A view contains addresses, so what it points to must be pinned.
func view(pinner *runtime.Pinner, data []float32, shape []C.int64_t) C.shardspec_tensor_view {
	v := C.shardspec_tensor_view{
		data:   unsafe.Pointer(unsafe.SliceData(data)),
		device: C.shardspec_device{device_type: C.SHARDSPEC_DLPACK_DEVICE_CPU},
		ndim:   C.int32_t(len(shape)),
		dtype:  C.shardspec_dtype{code: C.SHARDSPEC_DTYPE_FLOAT, bits: 32, lanes: 1},
		shape:  &shape[0],
	}
	pinner.Pin(v.data)
	pinner.Pin(v.shape)
	return v
}

// guard turns a panic into a status: a panic that leaves an exported function ends the process.
func guard(status *C.shardspec_status, err *C.shardspec_error) {
	if reason := recover(); reason != nil {
		text := C.CString(fmt.Sprint(reason))
		defer C.free(unsafe.Pointer(text))
		*status = C.shardspec_error_set(err, C.SHARDSPEC_USER_STATUS, text)
	}
}
