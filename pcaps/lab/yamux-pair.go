// Both ends of a reverse tunnel over hashicorp/yamux in clear, as tools written in Go have them: the agent dials out and
// is yamux's server; the other end opens a stream for each visitor.
//
//	yamux-pair listen ADDRESS           waits for the agent, opens two streams and asks through each
//	yamux-pair agent ADDRESS TARGET     dials, and joins each stream to a connection to TARGET
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"time"

	"github.com/hashicorp/yamux"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	switch os.Args[1] {
	case "listen":
		session := must(yamux.Client(must(must(net.Listen("tcp", os.Args[2])).Accept()), nil))
		for i := 0; i < 2; i++ {
			stream := must(session.Open())
			fmt.Fprint(stream, "GET / HTTP/1.0\r\n\r\n")
			io.Copy(os.Stdout, stream)
		}
		time.Sleep(time.Second)
	case "agent":
		session := must(yamux.Server(must(net.Dial("tcp", os.Args[2])), nil))
		for {
			stream := must(session.Accept())
			target := must(net.Dial("tcp", os.Args[3]))
			go func() { io.Copy(target, stream) }()
			io.Copy(stream, target)
			stream.Close()
			target.Close()
		}
	}
}
