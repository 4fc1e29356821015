"""Parts of the drill-down page, each a function from the node that is looked at to what stands in its slots."""
