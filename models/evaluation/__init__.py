"""How good rankers and recommenders are on replayed history: protocols, results, reports."""
