// Minimal is the program in README.md: it sends one prompt and prints the completion.
package main

import (
	"context"
	"fmt"
	"log"

	mlflowgateway "mlflow-ai-gateway/bindings/go"
)

func main() {
	// "": use the gateway URI from the environment variable MLFLOW_GATEWAY_URI.
	client, err := mlflowgateway.New("completions", "", mlflowgateway.WithParam("max_tokens", 8))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	text, err := client.Complete(context.Background(), "The capital of France is")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(text)
}
