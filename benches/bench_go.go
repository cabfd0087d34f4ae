// Go's net/http and encoding/json, as the clients of model providers use them: one client with a kept-alive connection.
//
// usage: bench_go URL CALLS
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"
)

const (
	warmUp = 100
	text   = " Helsinki, a city of about 690,000 people now."
)

type prompt struct {
	Prompt      string  `json:"prompt"`
	MaxTokens   int     `json:"max_tokens"`
	Temperature float64 `json:"temperature"`
}

type completion struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	Model   string `json:"model"`
	Choices []struct {
		Index        int    `json:"index"`
		Text         string `json:"text"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage struct {
		PromptTokens     int64 `json:"prompt_tokens"`
		CompletionTokens int64 `json:"completion_tokens"`
		TotalTokens      int64 `json:"total_tokens"`
	} `json:"usage"`
}

func call(ctx context.Context, client *http.Client, url string) {
	body, err := json.Marshal(prompt{"The capital of Finland is", 8, 0})
	if err != nil {
		log.Fatal(err)
	}
	request, err := http.NewRequestWithContext(ctx, "POST", url, bytes.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	content, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		log.Fatal(err)
	}
	var parsed completion
	if err := json.Unmarshal(content, &parsed); err != nil {
		log.Fatal(err)
	}
	if response.StatusCode != 200 || len(parsed.Choices) == 0 || parsed.Choices[0].Text != text {
		log.Fatalf("wrong response: %s", content)
	}
}

func main() {
	url := os.Args[1] + "/endpoints/completions/invocations"
	calls, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client := &http.Client{Timeout: 5 * time.Minute}
	for i := 0; i < warmUp; i++ {
		call(ctx, client, url)
	}
	start := time.Now()
	for i := 0; i < calls; i++ {
		call(ctx, client, url)
	}
	fmt.Printf("{\"seconds\": %.9f, \"calls\": %d}\n", time.Since(start).Seconds(), calls)
}
