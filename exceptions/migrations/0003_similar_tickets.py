from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('exceptions', '0002_initial'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='ticket',
            index=models.Index(fields=['reason', 'flow', '-opened_at'], name='ticket_similar'),
        ),
    ]
