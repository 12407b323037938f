# ruff: noqa: I001
# Every public name, once, in the order in which the tour meets them.

__version__: str
__all__: list[str]

# A network at once
from .layers.kernel_explorer import explore_kernel as explore_kernel

# Is everything here?
from .machine import check_machine as check_machine

# Convolution by hand
from .layers.convolution import convolve as convolve
from .layers.drawings import plot_convolution as plot_convolution
from .layers.drawings import plot_connections as plot_connections
from .picture import Picture as Picture

# Every option of the layer
from .layers.arithmetic import conv_output_length as conv_output_length
from .layers.arithmetic import conv_output_shape as conv_output_shape
from .layers.arithmetic import conv_padding as conv_padding
from .layers.arithmetic import conv_params as conv_params
from .layers.arithmetic import conv_multiply_adds as conv_multiply_adds
from .layers.arithmetic import pool_output_shape as pool_output_shape
from .layers.arithmetic import receptive_field as receptive_field
from .layers.model_table import model_table as model_table
from .layers.drawings import plot_groups as plot_groups
from .layers.drawings import plot_paddings as plot_paddings
from .layers.explorer import explore_convolution as explore_convolution

# Signals, pictures, and clips of them
from .plots import plot_signals as plot_signals
from .plots import plot_maps as plot_maps
from .layers.batch_axes import apply_over_batch_axes as apply_over_batch_axes

# The MNIST baseline
from .digits.mnist import load_dataset as load_dataset
from .digits.mnist import prep_pixels as prep_pixels
from .plots import plot_digits as plot_digits
from .plots import plot_histogram as plot_histogram
from .evaluation.baseline import define_model as define_model
from .evaluation.cross_validation import evaluate_model as evaluate_model
from .evaluation.cross_validation import cross_validate as cross_validate
from .evaluation.state import CrossValidation as CrossValidation
from .evaluation.summaries import plot_folds as plot_folds
from .evaluation.summaries import summarize_diagnostics as summarize_diagnostics
from .evaluation.summaries import summarize_performance as summarize_performance
from .harness import run_test_harness as run_test_harness

# Reading the results
from .results.predictions import plot_confusion as plot_confusion
from .results.predictions import plot_reliability as plot_reliability
from .results.inside import occlusion_map as occlusion_map

# Better models
from .results.comparison import compare_models as compare_models
from .results.comparison import Comparison as Comparison
from .results.comparison import plot_differences as plot_differences

# Your own digit
from .digits.own_digit import prepare_digit as prepare_digit
from .digits.own_digit import Digit as Digit
from .digits.drawing_pad import draw_digit as draw_digit

# Faster and bigger
from .evaluation.summaries import plot_rounds as plot_rounds

# Exercises of every notebook
from . import exercises as exercises
