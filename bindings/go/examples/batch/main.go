// Batch sends many prompts at once, one for each line of standard input, and prints the responses in the order of the
// prompts. Ctrl-C cancels the rest.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"sync"

	mlflowgateway "mlflow-ai-gateway/bindings/go"
)

// longestLine is the maximum size of a prompt.
const longestLine = 64 << 20

func main() {
	log.SetFlags(0)
	log.SetPrefix("batch: ")
	uri := flag.String("u", "", "gateway `URI`; default: $MLFLOW_GATEWAY_URI")
	route := flag.String("r", "completions", "`route` (endpoint)")
	parallel := flag.Int("p", 8, "`number` of requests at the same time")
	perSecond := flag.Float64("q", 0, "requests per second; 0: no limit")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	client, err := mlflowgateway.New(*route, *uri)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	queue, err := client.NewQueue(mlflowgateway.QueueOptions{MaxInFlight: *parallel, RequestsPerSecond: *perSecond})
	if err != nil {
		log.Fatal(err)
	}
	defer queue.Close()

	var prompts []string
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		prompts = append(prompts, lines.Text())
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
	completions, failures := make([]string, len(prompts)), make([]error, len(prompts))
	var calls sync.WaitGroup
	for i := range prompts {
		calls.Add(1)
		go func(i int) { // It waits in the queue, without a thread.
			defer calls.Done()
			completions[i], failures[i] = queue.Complete(ctx, prompts[i])
		}(i)
	}
	calls.Wait()

	failed := 0
	for i, text := range completions {
		if failures[i] != nil {
			failed++
			log.Printf("prompt %d: %v", i+1, failures[i])
			continue
		}
		fmt.Printf("%d: %s\n", i+1, strings.ReplaceAll(text, "\n", " "))
	}
	if failed > 0 {
		log.Fatalf("%d of %d prompts failed", failed, len(prompts))
	}
}
