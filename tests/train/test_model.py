import numpy as np
import torch

from tests.runtime.test_step_model import reference_step
from train.config import ModelConfig
from train.model import CharLSTM


def test_the_network_is_the_lstm_of_the_books_on_one_hot_characters() -> None:
    torch.manual_seed(0)
    model = CharLSTM(9, 7, ModelConfig(layers=2, hidden_size=6))
    tokens = torch.randint(0, 9, (12, 3))
    with torch.no_grad():
        logits, state = model(tokens, model.initial_state(3))
    weights = {name: weight.double().numpy() for name, weight in model.state_dict().items()}
    hidden = cell = np.zeros((2, 3, 6))
    for n in range(12):
        expected, hidden, cell = reference_step(weights, tokens[n].numpy(), hidden, cell)
        np.testing.assert_allclose(logits[n].numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(torch.stack(state).numpy(), [hidden, cell], atol=1e-5)


def test_the_saved_weights_hold_no_one_hot_table() -> None:
    assert "one_hot" not in CharLSTM(9, 7, ModelConfig(hidden_size=6)).state_dict()


def test_forget_gates_start_open() -> None:
    model = CharLSTM(9, 7, ModelConfig(layers=2, hidden_size=6))
    for layer in range(2):
        biases = getattr(model.lstm, f"bias_ih_l{layer}") + getattr(model.lstm, f"bias_hh_l{layer}")
        assert biases[6:12].tolist() == [1.0] * 6


def test_dropout_acts_only_in_training() -> None:
    model = CharLSTM(9, 7, ModelConfig(layers=2, hidden_size=6, dropout=0.5))
    tokens, state = torch.randint(0, 9, (5, 2)), model.initial_state(2)
    assert not torch.equal(model(tokens, state)[0], model(tokens, state)[0])
    model.eval()
    assert torch.equal(model(tokens, state)[0], model(tokens, state)[0])
