"""Running a bundle on radiographs: graph, gate, heat maps, findings."""
