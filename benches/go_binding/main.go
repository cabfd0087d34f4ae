// The Go binding and the C library by themselves, in turn in one process.
//
// usage: bench_go_binding URL CALLS
//
// It prints the time of all calls from Go, and the median and the 10th percentile of one call, from Go and from C.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"runtime"
	"sort"
	"strconv"
	"time"

	mlflowgateway "mlflow-ai-gateway/bindings/go"
)

const (
	prompt = "The capital of Finland is"
	warmUp = 100
	inTurn = 50
)

func main() {
	// On one core, Go has one processor, which it passes on to another thread during every call of C, and then waits for.
	if runtime.GOMAXPROCS(0) == 1 {
		runtime.GOMAXPROCS(2)
	}
	url := os.Args[1]
	calls, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	client, err := mlflowgateway.New("completions", url,
		mlflowgateway.WithParam("max_tokens", 8), mlflowgateway.WithParam("temperature", 0.0))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	// A context that can end gives each call a cancel token, which is the more expensive case.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	text, err := client.Complete(ctx, prompt)
	if err != nil {
		log.Fatal(err)
	}
	fromGo := func() {
		if got, err := client.Complete(ctx, prompt); err != nil || got != text {
			log.Fatalf("%q, %v", got, err)
		}
	}
	c := newCClient(url, text)

	measure(fromGo, warmUp)
	c.measure(warmUp)
	var goTimes, cTimes []float64
	for len(goTimes) < calls {
		goTimes = append(goTimes, measure(fromGo, inTurn)...)
		cTimes = append(cTimes, c.measure(inTurn)...)
	}
	seconds := 0.0
	for _, microseconds := range goTimes {
		seconds += microseconds / 1e6
	}
	sort.Float64s(goTimes)
	sort.Float64s(cTimes)
	fmt.Printf(`{"seconds": %.9f, "calls": %d, "go_us": %.3f, "c_us": %.3f, "low_go_us": %.3f, "low_c_us": %.3f}`+"\n",
		seconds, len(goTimes), at(goTimes, 50), at(cTimes, 50), at(goTimes, 10), at(cTimes, 10))
}

// measure returns the microseconds of each call.
func measure(call func(), calls int) []float64 {
	times := make([]float64, calls)
	for i := range times {
		start := time.Now()
		call()
		times[i] = float64(time.Since(start).Nanoseconds()) / 1e3
	}
	return times
}

// at returns a percentile of sorted times.
func at(times []float64, percent int) float64 {
	return times[len(times)*percent/100]
}
