"""What each public function costs in gas, measured on the node: `scripts/gas_table`, docs/gas.md."""
