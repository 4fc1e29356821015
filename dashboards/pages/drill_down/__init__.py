"""From the firm down to a trade: each part a function from the node that is looked at to what stands in its slots."""
