// SPDX-License-Identifier: Apache-2.0

// A Go program, to show which sites it offers and that a return probe in it is refused.
package main

import "os"

//go:noinline
func Recommend(count int, sink []int) int {
	total := 0
	for i := 0; i < count; i++ {
		total += len(sink) + Recommend(count-i-1, sink)
	}
	return total
}

func main() {
	os.Exit(Recommend(len(os.Args)-1, nil))
}
