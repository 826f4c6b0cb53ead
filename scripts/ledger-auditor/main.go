// An auditor's check of a Sallyport ledger with golang.org/x/mod/sumdb (note and tlog), code that Sallyport's authors
// did not write: the checkpoint's signature, every entry against its leaf in authenticated tiles, and inclusion proofs.
//
//	apt-get install golang-go golang-golang-x-mod-dev
//	GO111MODULE=off GOPATH=/usr/share/gocode go run scripts/ledger-auditor/main.go <ledger directory> <vkey file>
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type directory string

// x/mod says tile/<height>/<level>/<n>; C2SP fixes the height at 8 and leaves it out.
func published(t tlog.Tile) string { return "tile/" + strings.TrimPrefix(t.Path(), "tile/8/") }

func (d directory) Height() int                      { return 8 }
func (d directory) SaveTiles([]tlog.Tile, [][]byte) {}
func (d directory) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		b, err := d.read(published(t), t.W*tlog.HashSize)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

// A partial tile may have been removed once its full one exists.
func (d directory) read(path string, width int) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(string(d), path))
	if os.IsNotExist(err) {
		if i := strings.Index(path, ".p/"); i >= 0 {
			if b, err = os.ReadFile(filepath.Join(string(d), path[:i])); err == nil && width > 0 {
				b = b[:width]
			}
		}
	}
	return b, err
}

func check(err error) {
	if err != nil {
		fmt.Println("FAIL", err)
		os.Exit(1)
	}
}

func main() {
	d := directory(os.Args[1])
	keys, err := os.ReadFile(os.Args[2])
	check(err)
	var verifiers []note.Verifier
	for _, line := range strings.Fields(string(keys)) {
		v, err := note.NewVerifier(line)
		check(err)
		verifiers = append(verifiers, v)
	}
	checkpoint, err := os.ReadFile(filepath.Join(string(d), "checkpoint"))
	check(err)
	opened, err := note.Open(checkpoint, note.VerifierList(verifiers...))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	var size int64
	_, err = fmt.Sscan(lines[1], &size)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	hashes := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, d)

	entries := int64(0)
	for n := int64(0); n*256 < size; n++ {
		width := int64(256)
		if size-n*256 < width {
			width = size - n*256
		}
		name := "tile/entries" + strings.TrimPrefix(published(tlog.Tile{H: 8, L: 0, N: n, W: int(width)}), "tile/0")
		bundle, err := d.read(name, 0)
		check(err)
		var indexes []int64
		for i := int64(0); i < width; i++ {
			indexes = append(indexes, tlog.StoredHashIndex(0, n*256+i))
		}
		leaves, err := hashes.ReadHashes(indexes)
		check(err)
		for i := int64(0); i < width; i++ {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				check(fmt.Errorf("%s ends early", name))
			}
			length := 2 + int(binary.BigEndian.Uint16(bundle))
			entry := bundle[2:length]
			bundle = bundle[length:]
			if tlog.RecordHash(entry) != leaves[i] {
				check(fmt.Errorf("entry %d does not match its leaf", n*256+i))
			}
			entries++
		}
	}
	for i := int64(0); i < 50 && size > 0; i++ {
		at := (i * 7919) % size
		proof, err := tlog.ProveRecord(size, at, hashes)
		check(err)
		leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, at)})
		check(err)
		check(tlog.CheckRecord(proof, size, root, at, leaf[0]))
	}
	fmt.Println("OK", opened.Sigs[0].Name, "size", size, "entries verified", entries, "root", root)
}
