"""A task for one model: the class that puts its parts together."""

from typing import Any, ClassVar

import keras

from keras_fm.data.examples import Examples
from keras_fm.models.building import adapt_function, build_for_training
from keras_fm.models.spec import ModelSpec, spec_of
from keras_fm.registry import OWN_DATA_RECIPE, PRETRAINING, RECIPE
from keras_fm.registry.recipe import Recipe, load_recipe
from keras_fm.tasks.base.data import TaskData
from keras_fm.tasks.base.objective import Objective
from keras_fm.tasks.base.predict import Predictor
from keras_fm.tasks.base.serve import Serving
from keras_fm.tasks.base.summaries import Summaries


class Task:
    """A task for one model.

    A task's package has a subclass of it in its module `task`, called `TASK` there too.

    Attributes:
        spec: The model's specification.
        data: See `TaskData`.
        predictor: See `Predictor`.
        objective: See `Objective`.
        serving: See `Serving`.
        summaries: See `Summaries`.
    """

    recipe_class: ClassVar[type[Recipe]] = Recipe
    unit: ClassVar[str] = "examples"  # what a training counts by the second
    data_class: ClassVar[type[TaskData]]
    predictor_class: ClassVar[type[Predictor]]
    objective_class: ClassVar[type[Objective]]
    serving_class: ClassVar[type[Serving]]
    summaries_class: ClassVar[type[Summaries]] = Summaries

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.data = self.data_class(spec)
        self.predictor = self.predictor_class(spec, self.data)
        self.objective = self.objective_class(spec, self.data, self.predictor)
        self.serving = self.serving_class(spec, self.data, self.predictor)
        self.summaries = self.summaries_class(spec, self.data, self.predictor)

    @property
    def recipe_group(self) -> str | None:
        """The folder of the recipes that its models are fine-tuned by; None: they are not."""
        return self.recipe_class.fine_tuning_group

    def default_recipe(self) -> Any:
        """Load the recipe that the model's package has for this task."""
        file = PRETRAINING if self.spec.is_pretraining else RECIPE
        return load_recipe(self.spec.package.path / file, self.recipe_class)

    def own_data_recipe(self) -> Any:
        """Load the recipe by which the model is trained on a user's own data, from random weights.

        It is that of the package where there is no other; `adapt_recipe` fits it to their size.
        """
        path = self.spec.package.path / OWN_DATA_RECIPE
        return load_recipe(path, self.recipe_class) if path.exists() else self.default_recipe()

    def build(self, recipe: Any, seed: int) -> keras.Model:
        """Build a model with random weights that can be trained by the recipe.

        Raises:
            KerasFmError: The model can't be trained by it.
        """
        model = build_for_training(
            self.spec, seed=seed, precision=recipe.precision, **recipe.build_options
        )
        self.check_recipe(model, recipe)
        return model

    def check_recipe(self, model: keras.Model, recipe: Any) -> None:
        """Raise a `KerasFmError` where the model can't be trained by the recipe."""

    def adapt(self, model: keras.Model, examples: Examples) -> None:
        """Call `adapt` of the model's package, if there is one, with the examples."""
        function = adapt_function(self.spec)
        if function is not None:
            function(model, self.data.encode(examples))

    def remap_weights(self, source: keras.Model, target: keras.Model) -> dict[str, list[Any]]:
        """Return weights that `target`, of this task, takes over otherwise than `source` has them.

        Returns:
            The weights by layer; those of other layers are copied.
        """
        return {}


def task_of(model: keras.Model) -> Task:
    """Return the task of a model.

    Raises:
        InvalidInputError: The model does not come from keras_fm.
    """
    return spec_of(model).task
