//go:build race

package main

// overhead is how much more memory a program takes under the race detector: 5 to 10 times (go.dev/doc/articles/race_detector).
const overhead = 5
